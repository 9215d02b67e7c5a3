import type { Diagnosis } from '@/lib/contract';
import { requestJson } from '@/lib/http';

export type Priority = Diagnosis['priority'];

/** Asks for a diagnosis of a patient as known now. The same key never makes two. */
export function requestDiagnosis(patient: string, priority: Priority, key: string): Promise<Diagnosis> {
  return requestJson('/diagnoses', { method: 'POST', body: { patient, priority }, headers: { 'Idempotency-Key': key } });
}
