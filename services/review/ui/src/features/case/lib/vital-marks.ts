import type { DeviceClock, MarkedSample, VitalFlag } from '@/lib/contract';

/** Why a sample is drawn apart; one that is set aside is not given to the model. */
export type VitalMark = { reason: string; setAside: boolean };

/** A mark with how many samples bear it. */
export type MarkCount = VitalMark & { count: number };

const OF_FLAG: Record<VitalFlag, VitalMark> = {
  'out-of-range': { reason: 'outside of what a body can have', setAside: true },
  'no-signal': { reason: 'no signal: the sensor was off', setAside: true },
  overlapped: { reason: 'a better source measured the same', setAside: true },
  spike: { reason: 'spike: far from the readings beside it', setAside: false },
  'flat-line': { reason: 'unchanged for half an hour or longer', setAside: false },
};
const CLOCK: VitalMark = { reason: 'time corrected by an uncertain clock', setAside: false };

/** What is doubtful about a sample, the gravest doubt first; null where nothing is. */
export function markOf(sample: MarkedSample, clocks: readonly DeviceClock[]): VitalMark | null {
  const marks = (sample.flags ?? []).map((flag) => OF_FLAG[flag]);
  if (hasUncertainClock(sample, clocks)) marks.push(CLOCK);
  return marks.find((mark) => mark.setAside) ?? marks[0] ?? null;
}

function hasUncertainClock(sample: MarkedSample, clocks: readonly DeviceClock[]): boolean {
  const clock = clocks.find((one) => one.device === sample.device);
  return sample.deviceTime != null && clock?.confidence === 'low';
}

/** How many samples bear each mark, those set aside first, then the most frequent. */
export function countMarks(marks: readonly (VitalMark | null)[]): MarkCount[] {
  const counts = new Map<string, MarkCount>();
  for (const mark of marks) {
    if (mark === null) continue;
    counts.set(mark.reason, { ...mark, count: (counts.get(mark.reason)?.count ?? 0) + 1 });
  }
  return [...counts.values()].sort((a, b) => Number(b.setAside) - Number(a.setAside) || b.count - a.count);
}

/** How many samples are set aside, and how many doubtful. */
export function totalsOf(counts: readonly MarkCount[]): { setAside: number; doubtful: number } {
  const sum = (setAside: boolean) => counts.filter((one) => one.setAside === setAside).reduce((all, one) => all + one.count, 0);
  return { setAside: sum(true), doubtful: sum(false) };
}

/** `3 set aside, 2 doubtful`; empty where there is no mark. */
export function marksInShort(counts: readonly MarkCount[]): string {
  const { setAside, doubtful } = totalsOf(counts);
  return [setAside > 0 ? `${setAside} set aside` : '', doubtful > 0 ? `${doubtful} doubtful` : ''].filter(Boolean).join(', ');
}
