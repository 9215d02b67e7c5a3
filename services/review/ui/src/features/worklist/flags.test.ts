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

test('a diagnosis whose evidence changed is flagged, until a newer one knows of it', () => {
  const change = { modality: 'vitals', happening: 'arrived-late', evidence: 'v-1', text: 'Late.' } as const;
  const outdated = { since: '2026-03-14T10:00:00Z', changes: [change] };
  expect(flagsOf(aDiagnosis({ outdated }))).toEqual([{ key: 'outdated', text: 'Evidence changed', tone: 'warn' }]);
  const superseded = { ...outdated, supersededBy: 'd-2' };
  expect(flagsOf(aDiagnosis({ outdated: superseded }))).toEqual([{ key: 'outdated', text: 'Superseded', tone: 'note' }]);
});
