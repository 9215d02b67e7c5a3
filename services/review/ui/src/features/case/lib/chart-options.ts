import uPlot from 'uplot';

import { drawMarks } from '@/features/case/lib/draw-marks';
import { rangeOf, type Series } from '@/features/case/lib/vitals-series';

type Wanted = {
  series: Series;
  from: number;
  to: number;
  last: boolean;
  width: number;
  digits: number;
  /** The largest contribution of any window of the case, in absolute value. */
  strongest: number;
  onCursor: (index: number | null) => void;
};

const HEIGHT = 90;
const AXIS_HEIGHT = 26;

/** uPlot's options for one vital sign, with the colours of the document's theme. */
export function chartOptions({ series, from, to, last, width, digits, strongest, onCursor }: Wanted): uPlot.Options & { height: number } {
  const ink = colour('--ink-soft');
  const grid = { stroke: colour('--line'), width: 1 };
  const font = '11px "Inter Variable", sans-serif';
  return {
    width,
    height: HEIGHT + (last ? AXIS_HEIGHT : 0),
    padding: [8, 10, last ? 0 : 8, 0],
    legend: { show: false },
    cursor: { sync: { key: 'vitals' }, y: false, points: { size: 7 }, drag: { x: false, y: false } },
    scales: { x: { time: true, range: [from, to] }, y: { range: padded(...rangeOf(series)) } },
    axes: [
      {
        stroke: ink,
        grid,
        ticks: { show: false },
        font,
        size: last ? AXIS_HEIGHT : 0,
        splits: () => clockTicks(from, to),
        values: (_, ticks) => (last ? ticks.map(clockLabel) : []),
      },
      { stroke: ink, grid, ticks: { show: false }, font, size: 42, space: 26, values: (_, ticks) => ticks.map((t) => label(t, digits)) },
    ],
    series: [
      {},
      {
        stroke: colour('--trace'),
        width: 1.25,
        points: { show: true, size: 3.5, fill: colour('--trace'), filter: () => plain(series) },
        spanGaps: false,
      },
    ],
    hooks: {
      drawAxes: [(chart) => shade(chart, series, strongest)],
      draw: [(chart) => drawMarks(chart, series, { mark: colour('--warn'), ground: colour('--surface') })],
      setCursor: [(chart) => onCursor(chart.cursor.idx ?? null)],
    },
  };
}

function shade(chart: uPlot, series: Series, strongest: number): void {
  const { ctx, bbox } = chart;
  for (const window of series.windows) {
    const left = chart.valToPos(Date.parse(window.from) / 1000, 'x', true);
    const right = chart.valToPos(Date.parse(window.to) / 1000, 'x', true);
    const x = Math.max(left, bbox.left);
    ctx.save();
    // The window that counted most is shaded fully, others by their share of it.
    ctx.globalAlpha = Math.max(Math.abs(window.contribution) / strongest, 0.15);
    ctx.fillStyle = colour(window.contribution < 0 ? '--against-wash' : '--for-wash');
    ctx.fillRect(x, bbox.top, Math.min(right, bbox.left + bbox.width) - x, bbox.height);
    ctx.restore();
  }
}

/** The samples that bear no mark, and are drawn as plain points. */
function plain(series: Series): number[] {
  return series.marks.flatMap((mark, index) => (mark === null && series.trace[index] != null ? [index] : []));
}

/** Room above and below, and never a flat line that fills the chart. */
function padded(low: number, high: number): [number, number] {
  const room = Math.max((high - low) * 0.12, 0.5);
  return [low - room, high + room];
}

/** Every twelfth hour of the reader's clock. */
export function clockTicks(from: number, to: number): number[] {
  const tick = new Date(from * 1000);
  tick.setMinutes(0, 0, 0);
  tick.setHours(tick.getHours() < 12 ? 12 : 24);
  const ticks: number[] = [];
  for (; tick.getTime() / 1000 <= to; tick.setHours(tick.getHours() + 12)) ticks.push(tick.getTime() / 1000);
  return ticks;
}

const DAY = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });

function clockLabel(tick: number): string {
  const time = new Date(tick * 1000);
  return time.getHours() === 0 ? DAY.format(time) : '12:00';
}

function label(tick: number, digits: number): string {
  return Number.isInteger(tick) ? String(tick) : tick.toFixed(Math.max(digits, 1));
}

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
