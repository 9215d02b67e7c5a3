import type uPlot from 'uplot';

import type { Series } from '@/features/case/lib/vitals-series';

const RADIUS = 3.5;

/** The marks of a chart: a ring for a doubtful sample, a cross for one that is set aside, an arrow to one off the scale. */
export function drawMarks(chart: uPlot, series: Series, ink: { mark: string; ground: string }): void {
  const { ctx } = chart;
  const radius = RADIUS * devicePixelRatio;
  ctx.save();
  ctx.lineWidth = 1.4 * devicePixelRatio;
  ctx.strokeStyle = ink.mark;
  ctx.fillStyle = ink.ground;
  const last: Record<string, { x: number; y: number }> = {};
  for (const [index, mark] of series.marks.entries()) {
    const [time, value] = [series.times[index], series.values[index]];
    if (mark === null || time === undefined || value == null) continue;
    const x = chart.valToPos(time, 'x', true);
    const { y, off } = placeOf(chart, value, radius);
    const shape = off ?? (mark.setAside ? 'cross' : 'ring');
    const before = last[shape];
    // Marks on top of one another are a blot; the list tells how many there are.
    if (before && Math.hypot(x - before.x, y - before.y) < radius) continue;
    last[shape] = { x, y };
    ctx.beginPath();
    SHAPES[shape](ctx, x, y, radius);
    ctx.stroke();
  }
  ctx.restore();
}

/** Where a value is drawn: at the edge, and in which direction it lies beyond, where it is off the scale. */
function placeOf(chart: uPlot, value: number, radius: number): { y: number; off: 'up' | 'down' | null } {
  const { top, height } = chart.bbox;
  const y = chart.valToPos(value, 'y', true);
  if (y < top) return { y: top + radius, off: 'up' };
  if (y > top + height) return { y: top + height - radius, off: 'down' };
  return { y, off: null };
}

type Draw = (ctx: CanvasRenderingContext2D, x: number, y: number, radius: number) => void;

const SHAPES: Record<'ring' | 'cross' | 'up' | 'down', Draw> = {
  ring,
  cross,
  up: (ctx, x, y, radius) => arrow(ctx, x, y, radius, -1),
  down: (ctx, x, y, radius) => arrow(ctx, x, y, radius, 1),
};

function ring(ctx: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  ctx.arc(x, y, radius, 0, 2 * Math.PI);
  ctx.fill();
}

function cross(ctx: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  ctx.moveTo(x - radius, y - radius);
  ctx.lineTo(x + radius, y + radius);
  ctx.moveTo(x + radius, y - radius);
  ctx.lineTo(x - radius, y + radius);
}

function arrow(ctx: CanvasRenderingContext2D, x: number, y: number, radius: number, down: 1 | -1): void {
  ctx.moveTo(x - radius, y - down * radius);
  ctx.lineTo(x, y + down * radius);
  ctx.lineTo(x + radius, y - down * radius);
  ctx.closePath();
  ctx.fill();
}
