import { cleanup, render, screen } from '@testing-library/react';
import { afterEach, expect, test } from 'vitest';

import { expectation, WhatIf } from '@/features/case/components/what-if';
import { aDiagnosis } from '@/testing/diagnosis';

afterEach(cleanup);

const OTHER = { system: 'http://snomed.info/sct', code: '59282003', display: 'Pulmonary embolism' };
const DIAGNOSIS = aDiagnosis();
const FIRST = DIAGNOSIS.diagnoses?.[0]?.code;

function explained(explanation: object) {
  return aDiagnosis({ explanation: { ...DIAGNOSIS.explanation, ...explanation } });
}

test('a modality that decides is told from one that does not', () => {
  const whatIf = [
    { modality: 'note' as const, diagnosis: OTHER, probability: 0.41, setSize: 3 },
    { modality: 'image' as const, diagnosis: FIRST, probability: 0.6, setSize: 2 },
  ];
  render(<WhatIf diagnosis={explained({ whatIf })} />);
  expect(screen.getByRole('row', { name: /Note Pulmonary embolism \(another\) 41 % 3/ })).toBeTruthy();
  expect(screen.getByRole('row', { name: /Radiograph .* \(the same\) 60 % 2/ })).toBeTruthy();
});

test('the last modality leaves nothing to advise from', () => {
  render(<WhatIf diagnosis={explained({ whatIf: [{ modality: 'note', diagnosis: null, probability: null }] })} />);
  expect(screen.getByText('nothing would be left to advise from')).toBeTruthy();
});

test('what was not used is listed with the reason and the expectation', () => {
  const nextBest = [{ modality: 'vitals', status: 'no-consent', expectedDrop: 0.31, interval: [-0.1, 0.7] }];
  render(<WhatIf diagnosis={explained({ whatIf: [], nextBest })} />);
  expect(screen.getByText('(no consent)')).toBeTruthy();
  expect(screen.getByText(/by 0.31 nats \(in four of five cases −0.10 to 0.70\)/)).toBeTruthy();
});

test('an expected drop of nothing promises nothing', () => {
  const item = { modality: 'note' as const, status: 'missing' as const, expectedDrop: 0.001, interval: [-0.2, 0.2] as [number, number] };
  expect(expectation(item)).toBe('not expected to make the answer surer');
});

test('results of before this table show none', () => {
  const { container } = render(<WhatIf diagnosis={explained({ whatIf: [], nextBest: [] })} />);
  expect(container.firstChild).toBeNull();
});
