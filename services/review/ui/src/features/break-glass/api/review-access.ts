import type { BreakGlassReview } from '@/lib/contract';
import { request } from '@/lib/http';

export async function reviewAccess(id: string, review: BreakGlassReview): Promise<void> {
  await request(`/consents/break-glass/${encodeURIComponent(id)}/review`, { method: 'POST', body: review });
}
