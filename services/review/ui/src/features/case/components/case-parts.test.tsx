import { cleanup, render, screen } from '@testing-library/react';
import { afterEach, expect, test } from 'vitest';

import { Assessment, promiseOf } from '@/features/case/components/assessment';
import { Contributions } from '@/features/case/components/contributions';
import { ModalityStrip } from '@/features/case/components/modality-strip';
import { NotShown } from '@/features/case/components/not-shown';
import { aDiagnosis } from '@/testing/diagnosis';

afterEach(cleanup);

test('the contributions end in the probability that the assessment shows', () => {
  render(<Contributions diagnosis={aDiagnosis()} />);
  expect(screen.getByText('Together: 75 %')).toBeTruthy();
});

test('a member of the prediction set is named as one', () => {
  render(<Assessment diagnosis={aDiagnosis()} />);
  expect(screen.getAllByText('(in the prediction set)')).toHaveLength(1);
});

test('a case without probabilities says so', () => {
  render(<Assessment diagnosis={aDiagnosis({ diagnoses: [], predictionSet: null, uncertainty: null, risks: {} })} />);
  expect(screen.getByText('No probabilities were computed.')).toBeTruthy();
});

test('the severity is one line of its levels, the mildest first', () => {
  render(<Assessment diagnosis={aDiagnosis()} />);
  expect(screen.getByText('Severity of the illness: mild 50 %, moderate 30 %, severe 20 %')).toBeTruthy();
});

test('a bundle that does not answer the severity shows nothing of it', () => {
  const risks = { deterioration24h: { probability: 0.2, interval: [0.1, 0.3] as [number, number] } };
  render(<Assessment diagnosis={aDiagnosis({ risks })} />);
  expect(screen.queryByText(/Severity/)).toBeNull();
  expect(screen.getByText('Deterioration within 24 h')).toBeTruthy();
});

test('what became of calibration cases answered alike stands beside the first diagnosis, where it is known', () => {
  const [first, ...rest] = aDiagnosis().diagnoses ?? [];
  const { rerender } = render(<Assessment diagnosis={aDiagnosis()} />);
  expect(screen.queryByText(/calibration cases/)).toBeNull();
  rerender(<Assessment diagnosis={aDiagnosis({ diagnoses: [{ ...first!, vennAbers: [0.71, 0.78] }, ...rest] })} />);
  expect(screen.getByText(/it was true of 71–78 %/)).toBeTruthy();
});

test('a set without a guarantee promises none', () => {
  expect(promiseOf({ coverage: 0.9, guarantee: 'none: too few calibration cases' })).toContain('not guaranteed');
});

test('evidence unlike the training data is said to be so', () => {
  const image = { status: 'used' as const, evidence: ['i-1'], ood: { score: 0.99, flagged: true } };
  render(<ModalityStrip diagnosis={aDiagnosis({ modalities: { image } })} />);
  expect(screen.getByText(/Unlike the training data/)).toBeTruthy();
});

test('a note without consent is not confused with a missing one', () => {
  render(<NotShown modality="note" found={{ status: 'no-consent' }} />);
  expect(screen.getByText('The note may not be used')).toBeTruthy();
});

test('the reason of a rejection is a sentence of its own', () => {
  render(<NotShown modality="image" found={{ status: 'rejected', quality: { reason: 'it lies on its side' } }} />);
  expect(screen.getByText('It lies on its side. The assessment does without.')).toBeTruthy();
});
