import { expect, test } from 'vitest';

import { modalitiesOf } from '@/features/case/lib/evidence';
import { aDiagnosis } from '@/testing/diagnosis';

test('evidence leads to the kind that the result lists it under', () => {
  expect(modalitiesOf(aDiagnosis(), ['v-1', 'i-1'])).toEqual(['image', 'vitals']);
});

test('several ids of one kind make one link', () => {
  const modalities = { note: { status: 'used' as const, evidence: ['n-1', 'n-2'] } };
  expect(modalitiesOf(aDiagnosis({ modalities }), ['n-1', 'n-2'])).toEqual(['note']);
});

test('what is no shown evidence, such as a consent, makes no link', () => {
  expect(modalitiesOf(aDiagnosis(), ['consent-9'])).toEqual([]);
});

test('a note that was set aside leads to the notes', () => {
  const quality = { setAside: [{ note: 'n-2', reason: 'it is written in Spanish' }] };
  const modalities = { note: { status: 'used' as const, evidence: ['n-1'], quality } };
  expect(modalitiesOf(aDiagnosis({ modalities }), ['n-2'])).toEqual(['note']);
});
