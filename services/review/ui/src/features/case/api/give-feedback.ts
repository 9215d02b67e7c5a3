import type { Feedback } from '@/lib/contract';
import { request } from '@/lib/http';

export async function giveFeedback(id: string, feedback: Feedback): Promise<void> {
  await request(`/diagnoses/${encodeURIComponent(id)}/feedback`, { method: 'POST', body: feedback });
}
