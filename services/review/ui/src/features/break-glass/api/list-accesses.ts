import type { BreakGlassList } from '@/lib/contract';
import { requestJson } from '@/lib/http';

/** Accesses that broke the glass and wait for a review, the most urgent first. */
export function listAccesses(signal: AbortSignal): Promise<BreakGlassList> {
  return requestJson('/consents/break-glass?state=open', { signal });
}
