import { expect, test } from 'vitest';

import { countMarks, markOf, marksInShort } from '@/features/case/lib/vital-marks';
import type { MarkedSample } from '@/lib/contract';

const sample = (otherwise: Partial<MarkedSample> = {}): MarkedSample => ({
  code: '8867-4',
  value: 80,
  unit: '/min',
  effective: '2026-01-01T00:00:00Z',
  device: 'watch',
  ...otherwise,
});
const clock = (confidence: 'low' | 'high') => ({ device: 'watch', readAt: '2026-01-01T00:00:00Z', offsetS: 300, driftPpm: null, confidence });

test('a sample without flags bears no mark', () => {
  expect(markOf(sample(), [clock('low')])).toBeNull();
});

test('what no body can have is set aside, and that tells more than a doubt', () => {
  expect(markOf(sample({ flags: ['spike', 'out-of-range'] }), [])?.setAside).toBe(true);
});

test('a spike may be true and is only doubtful', () => {
  expect(markOf(sample({ flags: ['spike'] }), [])?.setAside).toBe(false);
});

test('a time that was corrected by an uncertain clock is doubtful', () => {
  const corrected = sample({ deviceTime: '2026-01-01T00:05:00Z' });
  expect(markOf(corrected, [clock('low')])?.reason).toContain('clock');
  expect(markOf(corrected, [clock('high')])).toBeNull();
});

test('marks are counted, those set aside first', () => {
  const out = markOf(sample({ flags: ['no-signal'] }), []);
  const spike = markOf(sample({ flags: ['spike'] }), []);
  const counts = countMarks([spike, null, out, spike]);
  expect(counts.map((one) => one.count)).toEqual([1, 2]);
  expect(marksInShort(counts)).toBe('1 set aside, 2 doubtful');
  expect(marksInShort([])).toBe('');
});
