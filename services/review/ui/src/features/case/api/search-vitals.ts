import type { VitalsAnswer, VitalsQuestion } from '@/lib/contract';
import { requestJson } from '@/lib/http';

// More points than the charts have pixels; beyond that the service keeps the lows and highs of each stretch of time.
const MOST_POINTS = 12_000;

/** The samples of a patient between two times. A POST, so that the patient is in no URL. */
export function searchVitals(patient: string, start: Date, end: Date, signal: AbortSignal): Promise<VitalsAnswer> {
  const range = { start: start.toISOString(), end: end.toISOString() };
  const body: VitalsQuestion = { patient, ...range, limit: MOST_POINTS, downsample: true };
  return requestJson('/vitals/search', { method: 'POST', body, signal });
}
