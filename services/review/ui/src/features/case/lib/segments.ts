import type { NoteSpan } from '@/lib/contract';

/** A stretch of a note under one span, or under none. */
export type Segment = { text: string; span: NoteSpan | null };

/**
 * Cuts a note where spans begin and end; where spans overlap, the one that contributed most is shown.
 *
 * Offsets count Unicode characters, as the services do; JavaScript's own count UTF-16 units.
 */
export function segmentsOf(text: string, spans: readonly NoteSpan[]): Segment[] {
  const characters = Array.from(text);
  const cuts = new Set([0, characters.length]);
  for (const span of spans) {
    cuts.add(clamp(span.start, characters.length));
    cuts.add(clamp(span.end, characters.length));
  }
  const points = [...cuts].sort((a, b) => a - b);
  return points.slice(0, -1).map((from, i) => {
    const to = points[i + 1] ?? from;
    return { text: characters.slice(from, to).join(''), span: strongest(spans, from, to) };
  });
}

function clamp(offset: number, length: number): number {
  return Math.min(Math.max(offset, 0), length);
}

function strongest(spans: readonly NoteSpan[], from: number, to: number): NoteSpan | null {
  let best: NoteSpan | null = null;
  for (const span of spans) {
    if (span.start > from || span.end < to) continue;
    if (best === null || Math.abs(span.contribution) > Math.abs(best.contribution)) best = span;
  }
  return best;
}
