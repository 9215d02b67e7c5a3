import { requestJson } from '@/lib/http';

/** What the page shows of a note. */
export type Note = { id: string; authored: string; type: string; text: string };

export function getNote(id: string, signal: AbortSignal): Promise<Note> {
  return requestJson(`/notes/${encodeURIComponent(id)}`, { signal });
}
