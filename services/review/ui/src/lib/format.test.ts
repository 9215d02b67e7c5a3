import { expect, test } from 'vitest';

import { ago, hours, modalityNames, percent, percentInterval, shortDigest, signed } from '@/lib/format';

test('no probability is shown as certain', () => {
  expect([percent(0.996), percent(0.004)]).toEqual(['>99 %', '<1 %']);
});

test('a probability is a whole percentage', () => {
  expect(percent(0.714)).toBe('71 %');
});

test('a negative number has a minus sign, not a hyphen', () => {
  expect(signed(-0.3)).toBe('−0.30');
});

test('what rounds to zero has no sign', () => {
  expect(signed(-0.0001)).toBe('0.00');
});

test('a small contribution is not shown as none', () => {
  expect(signed(0.004)).toBe('+0.004');
});

test('the ends of an interval are never certain', () => {
  expect([percentInterval([0.0001, 0.9998]), percentInterval([0.58, 0.804])]).toEqual(['<1 to >99 %', '58–80 %']);
});

test.each([
  [0.25, '15 min'],
  [4.89, '5 h'],
  [71.6, '3 days'],
])('%d hours read as %s', (value, text) => {
  expect(hours(value)).toBe(text);
});

test('hours are counted whole', () => {
  expect(ago('2026-01-01T00:00:00Z', new Date('2026-01-01T02:59:00Z'))).toBe('2 h ago');
});

test('a digest keeps its scheme', () => {
  expect(shortDigest('sha256:0123456789abcdef')).toBe('sha256:0123456789ab…');
});

test('an interaction names both modalities', () => {
  expect(modalityNames('image+note')).toBe('Radiograph × Note');
});
