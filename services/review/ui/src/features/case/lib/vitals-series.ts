import type { VitalSample, VitalsExplanation } from '@/lib/contract';
import { VITAL_SIGN_ORDER } from '@/lib/vital-signs';

/** One variable over time: seconds since 1970 and values; null is a gap, where the line must not pass. */
export type Series = { code: string; times: number[]; values: (number | null)[]; windows: VitalsExplanation[] };

/** Longer without a sample, and the line breaks: nothing is known in between. */
export const GAP_S = 3 * 3600;

/** Samples by variable in charting order, oldest first, with the windows that contributed to the result. */
export function seriesOf(samples: readonly VitalSample[], windows: readonly VitalsExplanation[]): Series[] {
  const byCode = new Map<string, VitalSample[]>();
  for (const sample of samples) byCode.set(sample.code, [...(byCode.get(sample.code) ?? []), sample]);
  return [...byCode.keys()].sort(byChartOrder).map((code) => ({
    code,
    ...withGaps(byCode.get(code) ?? []),
    windows: windows.filter((window) => window.code === code),
  }));
}

function byChartOrder(a: string, b: string): number {
  const rank = (code: string) => (VITAL_SIGN_ORDER.includes(code) ? VITAL_SIGN_ORDER.indexOf(code) : 99);
  return rank(a) - rank(b) || a.localeCompare(b);
}

function withGaps(samples: VitalSample[]): { times: number[]; values: (number | null)[] } {
  const times: number[] = [];
  const values: (number | null)[] = [];
  const points = samples.map((s) => [Date.parse(s.effective) / 1000, s.value] as const).sort((a, b) => a[0] - b[0]);
  for (const [time, value] of points) {
    const last = times.at(-1);
    if (last !== undefined && time - last > GAP_S) {
      times.push((last + time) / 2);
      values.push(null);
    }
    times.push(time);
    values.push(value);
  }
  return { times, values };
}
