import { expect, test } from 'vitest';

import { segmentsOf } from '@/features/case/lib/segments';

const span = (start: number, end: number, contribution = 0.5, negated = false) => ({ start, end, contribution, negated });

test('offsets count characters, also after one that takes two UTF-16 units', () => {
  const marked = segmentsOf('39.2 🌡 fever', [span(7, 12)]).find((segment) => segment.span !== null);
  expect(marked?.text).toBe('fever');
});

test('segments put together are the note, verbatim', () => {
  const text = 'No fever.\n\nCough 🌡 for 3 days.';
  const whole = segmentsOf(text, [span(3, 8), span(11, 20), span(5, 14)]).map((segment) => segment.text);
  expect(whole.join('')).toBe(text);
});

test('where spans overlap, the one that contributed most is shown', () => {
  const overlap = segmentsOf('abcdef', [span(0, 4, 0.2), span(2, 6, -0.9)]).find((segment) => segment.text === 'cd');
  expect(overlap?.span?.contribution).toBe(-0.9);
});

test('a span beyond the end of the note marks what there is', () => {
  expect(segmentsOf('abc', [span(1, 99)]).map((segment) => segment.text)).toEqual(['a', 'bc']);
});

test('a note without spans is one plain segment', () => {
  expect(segmentsOf('abc', [])).toEqual([{ text: 'abc', span: null }]);
});
