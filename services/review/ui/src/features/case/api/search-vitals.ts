import { requestJson } from '@/lib/http';

export type VitalSample = { code: string; value: number; unit: string; effective: string };

/** All samples of a patient between two times. A POST, so that the patient is in no URL. */
export function searchVitals(patient: string, start: Date, end: Date, signal: AbortSignal): Promise<{ samples: VitalSample[] }> {
  const body = { patient, start: start.toISOString(), end: end.toISOString() };
  return requestJson('/vitals/search', { method: 'POST', body, signal });
}
