import { expect, test } from 'vitest';

import { rangeOf, seriesOf } from '@/features/case/lib/vitals-series';

const sample = (code: string, effective: string, value = 1) => ({ code, value, unit: '1', effective });
const HEART_RATE = '8867-4';
const TEMPERATURE = '8310-5';

test('samples are drawn in the order of time, not of arrival', () => {
  const [series] = seriesOf([sample(HEART_RATE, '2026-01-01T02:00:00Z', 2), sample(HEART_RATE, '2026-01-01T01:00:00Z', 1)], []);
  expect(series?.values).toEqual([1, 2]);
});

test('the line breaks where nothing was measured for hours', () => {
  const [series] = seriesOf([sample(HEART_RATE, '2026-01-01T00:00:00Z', 1), sample(HEART_RATE, '2026-01-01T08:00:00Z', 2)], []);
  expect(series?.values).toEqual([1, null, 2]);
});

test('heart rate is charted before temperature', () => {
  const at = '2026-01-01T00:00:00Z';
  expect(seriesOf([sample(TEMPERATURE, at), sample(HEART_RATE, at)], []).map((series) => series.code)).toEqual([HEART_RATE, TEMPERATURE]);
});

test('a window is drawn on its own variable only', () => {
  const at = '2026-01-01T00:00:00Z';
  const window = { code: TEMPERATURE, from: at, to: at, contribution: 0.2 };
  const shaded = seriesOf([sample(TEMPERATURE, at), sample(HEART_RATE, at)], [window]).filter((series) => series.windows.length > 0);
  expect(shaded.map((series) => series.code)).toEqual([TEMPERATURE]);
});

test('the line passes by a sample that is set aside, and the scale is not stretched to it', () => {
  const at = (hour: number, value: number) => sample(HEART_RATE, `2026-01-01T0${hour}:00:00Z`, value);
  const [series] = seriesOf([at(0, 70), { ...at(1, 400), flags: ['out-of-range' as const] }, at(2, 80)], []);
  expect(series?.trace).toEqual([70, undefined, 80]);
  expect(series?.values).toEqual([70, 400, 80]);
  expect(series && rangeOf(series)).toEqual([70, 80]);
});

test('samples that are set aside bridge no gap', () => {
  const at = (hour: number, value: number) => sample(HEART_RATE, `2026-01-01T0${hour}:00:00Z`, value);
  const off = { ...at(2, 0), flags: ['no-signal' as const] };
  const [series] = seriesOf([at(0, 70), off, at(4, 80)], []);
  expect(series?.trace.filter((value) => value === null)).toHaveLength(1);
});

test('a variable with nothing but samples that are set aside is still to be seen', () => {
  const [series] = seriesOf([{ ...sample(HEART_RATE, '2026-01-01T00:00:00Z', 400), flags: ['out-of-range' as const] }], []);
  expect(series && rangeOf(series)).toEqual([400, 400]);
});
