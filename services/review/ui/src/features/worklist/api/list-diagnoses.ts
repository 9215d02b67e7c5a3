import type { Diagnosis } from '@/lib/contract';
import { requestJson } from '@/lib/http';

export type DiagnosisPage = { items: Diagnosis[]; next?: string | null };

/** The newest diagnoses. */
export function listDiagnoses(limit: number, signal: AbortSignal): Promise<DiagnosisPage> {
  return requestJson(`/diagnoses?limit=${limit}`, { signal });
}
