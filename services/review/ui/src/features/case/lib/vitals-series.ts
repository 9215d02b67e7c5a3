import { markOf, type VitalMark } from '@/features/case/lib/vital-marks';
import type { DeviceClock, MarkedSample, VitalsExplanation } from '@/lib/contract';
import { VITAL_SIGN_ORDER } from '@/lib/vital-signs';

/** One variable over time; the i-th of each list belong together. */
export type Series = {
  code: string;
  /** Seconds since 1970. */
  times: number[];
  /** What was measured; null where `times` holds a gap. */
  values: (number | null)[];
  /** What the line passes: null is a gap, where it must not; undefined a sample that is set aside, which it passes by. */
  trace: (number | null | undefined)[];
  marks: (VitalMark | null)[];
  windows: VitalsExplanation[];
};

type Point = { time: number; value: number | null; mark: VitalMark | null };

/** Longer without a sample, and the line breaks: nothing is known in between. */
export const GAP_S = 3 * 3600;

/** Samples by variable in charting order, oldest first, with the windows that contributed to the result. */
export function seriesOf(
  samples: readonly MarkedSample[],
  windows: readonly VitalsExplanation[],
  clocks: readonly DeviceClock[] = [],
): Series[] {
  const byCode = new Map<string, MarkedSample[]>();
  for (const sample of samples) byCode.set(sample.code, [...(byCode.get(sample.code) ?? []), sample]);
  return [...byCode.keys()].sort(byChartOrder).map((code) => ({
    code,
    ...columns(withGaps((byCode.get(code) ?? []).map((sample) => pointOf(sample, clocks)))),
    windows: windows.filter((window) => window.code === code),
  }));
}

/** The lowest and highest value that the chart has room for; what is set aside does not flatten the rest. */
export function rangeOf({ trace, values }: Series): [number, number] {
  const drawn = trace.filter((value) => value != null);
  const shown = drawn.length > 0 ? drawn : values.filter((value) => value !== null);
  return [Math.min(...shown), Math.max(...shown)];
}

function byChartOrder(a: string, b: string): number {
  const rank = (code: string) => (VITAL_SIGN_ORDER.includes(code) ? VITAL_SIGN_ORDER.indexOf(code) : 99);
  return rank(a) - rank(b) || a.localeCompare(b);
}

function pointOf(sample: MarkedSample, clocks: readonly DeviceClock[]): Point {
  return { time: Date.parse(sample.effective) / 1000, value: sample.value, mark: markOf(sample, clocks) };
}

function withGaps(points: Point[]): Point[] {
  const sorted = points.sort((a, b) => a.time - b.time);
  const gaps: Point[] = [];
  let last: number | null = null;
  for (const { time, mark } of sorted) {
    if (mark?.setAside) continue;
    if (last !== null && time - last > GAP_S) gaps.push({ time: (last + time) / 2, value: null, mark: null });
    last = time;
  }
  return [...sorted, ...gaps].sort((a, b) => a.time - b.time);
}

function columns(points: Point[]): Pick<Series, 'times' | 'values' | 'trace' | 'marks'> {
  return {
    times: points.map((point) => point.time),
    values: points.map((point) => point.value),
    trace: points.map((point) => (point.mark?.setAside ? undefined : point.value)),
    marks: points.map((point) => point.mark),
  };
}
