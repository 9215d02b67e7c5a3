import { expect, test } from 'vitest';

import { logOddsOf, probabilityOf, ticksBetween, waterfallOf } from '@/features/case/lib/waterfall';

const explanation = { code: '1', scale: 'log-odds' as const, base: -1.5, contributions: { vitals: -0.5, image: 1.25, note: 1.75 } };

test('each bar begins where the one before ended', () => {
  const bars = waterfallOf(explanation).steps.filter((step) => step.kind !== 'total');
  expect(bars.slice(1).map((step) => step.from)).toEqual(bars.slice(0, -1).map((step) => step.to));
});

test('base and contributions add up to the total', () => {
  expect(waterfallOf(explanation).total).toBeCloseTo(1.0, 12);
});

test('modalities come in the order of the page, whatever order the result has', () => {
  expect(waterfallOf(explanation).steps.map((step) => step.key)).toEqual(['base', 'image', 'note', 'vitals', 'total']);
});

test('a modality that this page does not know is still added', () => {
  const more = { ...explanation, contributions: { ...explanation.contributions, ecg: 0.5 } };
  expect(waterfallOf(more).total).toBeCloseTo(1.5, 12);
});

test('log-odds and probability are inverse', () => {
  expect(probabilityOf(logOddsOf(0.83))).toBeCloseTo(0.83, 12);
});

test('even odds are at log-odds 0', () => {
  expect(ticksBetween(-0.5, 0.5)).toEqual([{ probability: 0.5, logOdds: 0 }]);
});
