import { cleanup, render, screen } from '@testing-library/react';
import { afterEach, expect, test } from 'vitest';

import { WorklistRow } from '@/features/worklist/components/worklist-row';
import type { Diagnosis } from '@/lib/contract';
import { aDiagnosis } from '@/testing/diagnosis';

afterEach(cleanup);

function show(diagnosis: Diagnosis) {
  const now = new Date('2026-03-14T09:42:00Z');
  render(
    <table>
      <tbody>
        <WorklistRow diagnosis={diagnosis} now={now} />
      </tbody>
    </table>,
  );
}

test('the patient links to the case, whose address names no patient', () => {
  show(aDiagnosis());
  expect(screen.getByRole('link', { name: 'P-1' }).getAttribute('href')).toBe('#/case/d-1');
});

test('the probability stands beside its interval', () => {
  show(aDiagnosis());
  expect(screen.getByText('60–85 %')).toBeTruthy();
});

test('a failed job tells why', () => {
  show(aDiagnosis({ status: 'failed', diagnoses: null, error: 'No evidence was left.' }));
  expect(screen.getByText('No evidence was left.')).toBeTruthy();
});

test('the time is how long ago', () => {
  show(aDiagnosis());
  expect(screen.getByText('12 min ago')).toBeTruthy();
});
