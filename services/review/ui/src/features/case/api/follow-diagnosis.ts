import { readEvents } from '@/features/case/lib/sse';
import { request } from '@/lib/http';

/** Calls back at each progress event until the stream ends. `EventSource` cannot carry the token, hence `fetch`. */
export async function followDiagnosis(id: string, onEvent: (data: unknown) => void, signal: AbortSignal): Promise<void> {
  const answer = await request(`/diagnoses/${encodeURIComponent(id)}/events`, {
    headers: { Accept: 'text/event-stream' },
    signal,
  });
  if (answer.body === null) return;
  for await (const event of readEvents(answer.body)) onEvent(event.data);
}
