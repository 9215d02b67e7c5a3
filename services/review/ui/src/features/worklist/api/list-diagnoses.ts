import type { DiagnosisPage } from '@/lib/contract';
import { request } from '@/lib/http';

/** A page and the tag by which the service knows it again. */
export type Listed = { page: DiagnosisPage; tag: string | null };

/** The newest diagnoses; `known` itself where it still holds: nothing is shown again then, and nothing logged. */
export async function listDiagnoses(limit: number, signal: AbortSignal, known: Listed | null): Promise<Listed> {
  const headers: Record<string, string> = known?.tag == null ? {} : { 'If-None-Match': known.tag };
  const answer = await request(`/diagnoses?limit=${limit}`, { signal, headers });
  if (answer.status === 304 && known !== null) return known;
  return { page: (await answer.json()) as DiagnosisPage, tag: answer.headers.get('ETag') };
}
