import { expect, test } from 'vitest';

import { flagsOf } from '@/features/worklist/flags';
import { aDiagnosis } from '@/testing/diagnosis';

test('a case with all evidence in order has no flags', () => {
  expect(flagsOf(aDiagnosis())).toEqual([]);
});

test('missing consent and missing evidence are different flags', () => {
  const modalities = { note: { status: 'no-consent' as const }, vitals: { status: 'missing' as const } };
  expect(flagsOf(aDiagnosis({ modalities })).map((flag) => flag.text)).toEqual(['Note: no consent', 'No vitals']);
});

test('a job without a result has no flags yet', () => {
  expect(flagsOf(aDiagnosis({ status: 'queued', modalities: null }))).toEqual([]);
});
