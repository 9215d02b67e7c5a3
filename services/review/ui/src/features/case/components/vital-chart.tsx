import { useEffect, useRef } from 'react';
import uPlot from 'uplot';

import { MarkList } from '@/features/case/components/mark-list';
import { chartOptions } from '@/features/case/lib/chart-options';
import { countMarks, marksInShort } from '@/features/case/lib/vital-marks';
import { rangeOf, type Series } from '@/features/case/lib/vitals-series';
import type { VitalsExplanation } from '@/lib/contract';
import { dateTime, signed } from '@/lib/format';
import { useDocumentTheme } from '@/lib/theme';
import { type VitalSignView, vitalSign } from '@/lib/vital-signs';

type Props = { series: Series; from: number; to: number; last: boolean; strongest: number };

/** One variable over time; windows that counted are shaded. The cursor moves in all charts at once. */
export function VitalChart({ series, from, to, last, strongest }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const readout = useRef<HTMLSpanElement>(null);
  const theme = useDocumentTheme();
  const sign = vitalSign(series.code);

  useEffect(() => {
    const element = host.current;
    if (element === null) return;
    const latest = reading(sign, series.trace.findLast((value) => value != null));
    function show(index: number | null) {
      if (readout.current === null) return;
      const time = index === null ? undefined : series.times[index];
      const value = reading(sign, index === null ? null : series.values[index]);
      const mark = index === null ? null : series.marks[index];
      const doubt = mark ? ` · ${mark.setAside ? 'set aside' : 'doubtful'}: ${mark.reason}` : '';
      readout.current.textContent = time === undefined ? latest : `${value} · ${dateTime(new Date(time * 1000))}${doubt}`;
    }
    show(null);
    const size = { width: element.clientWidth, digits: sign.digits };
    const options = chartOptions({ series, from, to, last, strongest, ...size, onCursor: show });
    const chart = new uPlot(options, [series.times, series.trace], element);
    const observer = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height: options.height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.destroy();
    };
  }, [series, from, to, last, strongest, sign, theme]);

  return (
    <figure className="vital">
      <figcaption>
        <span className="vital-name">{sign.name}</span>
        <span className="vital-readout small" ref={readout} />
        <Windows windows={series.windows} />
      </figcaption>
      <MarkList series={series} sign={sign} />
      <div ref={host} className="vital-host" role="img" aria-label={describe(series, sign)} />
    </figure>
  );
}

function Windows({ windows }: { windows: VitalsExplanation[] }) {
  return windows.map((window) => (
    <span
      key={window.from}
      className={`small ${window.contribution < 0 ? 'window-against' : 'window-for'}`}
      title={`${dateTime(window.from)} to ${dateTime(window.to)}`}
    >
      {window.contribution < 0 ? 'against' : 'for'} {signed(window.contribution)}
    </span>
  ));
}

function reading(sign: VitalSignView, value: number | null | undefined): string {
  return value == null ? '' : `${value.toFixed(sign.digits)} ${sign.unit}`.trim();
}

function describe(series: Series, sign: VitalSignView): string {
  const values = series.values.filter((value) => value !== null);
  const [low, high] = rangeOf(series);
  const marked = marksInShort(countMarks(series.marks));
  const counted = series.windows.map((w) => `${w.contribution < 0 ? 'against' : 'for'} ${signed(w.contribution)}`).join(', ');
  return [
    `${sign.name}: ${values.length} samples from ${low} to ${high} ${sign.unit}`,
    ...(marked === '' ? [] : [marked]),
    ...(counted === '' ? [] : [`counted ${counted}`]),
  ].join('; ');
}
