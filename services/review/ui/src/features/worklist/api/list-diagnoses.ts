import type { DiagnosisPage } from '@/lib/contract';
import { requestJson } from '@/lib/http';

/** The newest diagnoses. */
export function listDiagnoses(limit: number, signal: AbortSignal): Promise<DiagnosisPage> {
  return requestJson(`/diagnoses?limit=${limit}`, { signal });
}
