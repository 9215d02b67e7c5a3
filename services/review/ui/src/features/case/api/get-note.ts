import type { Note } from '@/lib/contract';
import { requestJson } from '@/lib/http';

export function getNote(id: string, signal: AbortSignal): Promise<Note> {
  return requestJson(`/notes/${encodeURIComponent(id)}`, { signal });
}
