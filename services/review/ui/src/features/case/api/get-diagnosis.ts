import type { Diagnosis } from '@/lib/contract';
import { requestJson } from '@/lib/http';

export function getDiagnosis(id: string, signal: AbortSignal): Promise<Diagnosis> {
  return requestJson(`/diagnoses/${encodeURIComponent(id)}`, { signal });
}
