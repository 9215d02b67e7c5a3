import { expect, test } from 'vitest';

import { HOME, MOST, panned, zoomed } from '@/features/case/lib/view';

const FRAME = { width: 400, height: 300 };

test('the point under the pointer stays where it is', () => {
  const view = zoomed(HOME, 2, 0.25, 0.5, FRAME);
  // 100 px from the left is 100 px of the picture before and (100 - x) / 2 after.
  expect((100 - view.x) / view.scale).toBeCloseTo(100, 9);
});

test('zooming out never leaves the frame uncovered', () => {
  const view = zoomed(zoomed(HOME, 4, 0, 0, FRAME), 0.1, 1, 1, FRAME);
  expect([view.scale, Math.abs(view.x), Math.abs(view.y)]).toEqual([1, 0, 0]);
});

test('zooming in ends somewhere', () => {
  expect(zoomed(HOME, 1000, 0.5, 0.5, FRAME).scale).toBe(MOST);
});

test('panning stops at the edge of the picture', () => {
  expect(panned(zoomed(HOME, 2, 0, 0, FRAME), -10_000, 0, FRAME).x).toBe(-400);
});

test('a picture that is not zoomed does not move', () => {
  expect(Math.abs(panned(HOME, 50, 0, FRAME).x)).toBe(0);
});
