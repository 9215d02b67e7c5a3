import { expect, test } from 'vitest';

import { doubtsOf, qualityOf, setAsideOf } from '@/features/case/lib/quality';

test('age and amount are told', () => {
  expect(qualityOf({ readings: 599, ageHours: 3.1 })).toBe(' · 599 readings · 3 h before the case');
});

test('a single image needs no count', () => {
  expect(qualityOf({ images: 1, ageHours: 50 })).toBe(' · 2 days before the case');
});

test('a note of which the model read only the beginning says so', () => {
  expect(qualityOf({ truncated: true })).toContain('cut off');
});

test('nothing known, nothing said', () => {
  expect(qualityOf({ contrast: 0.3 })).toBe('');
});

test('each doubt about the images is told once', () => {
  const finding = { image: 'i-1', name: 'rotated', value: 90, limit: 45, text: 'The film may lie on its side.' };
  expect(doubtsOf({ findings: [finding, { ...finding, image: 'i-2' }] })).toEqual(['The film may lie on its side.']);
});

test('images without findings leave no doubt', () => {
  expect(doubtsOf({})).toEqual([]);
});

test('notes that were set aside are told with the reason', () => {
  const listed = [{ note: 'n-2', reason: 'it is written in Spanish' }];
  expect(setAsideOf({ setAside: [...listed, { note: 3 }] })).toEqual(listed);
  expect(setAsideOf({})).toEqual([]);
});
