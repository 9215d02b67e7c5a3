import type { Diagnosis } from '@/lib/contract';
import { requestJson } from '@/lib/http';

export type Priority = Diagnosis['priority'];

/** Asks for a diagnosis of a patient as known now, or at `asOf`. The same key never makes two. */
export function requestDiagnosis(patient: string, priority: Priority, key: string, asOf?: string): Promise<Diagnosis> {
  const body = { patient, priority, asOf };
  return requestJson('/diagnoses', { method: 'POST', body, headers: { 'Idempotency-Key': key } });
}
