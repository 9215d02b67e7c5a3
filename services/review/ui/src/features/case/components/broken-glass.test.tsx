import { cleanup, render, screen } from '@testing-library/react';
import { afterEach, expect, test } from 'vitest';

import { BrokenGlass } from '@/features/case/components/broken-glass';
import { aDiagnosis } from '@/testing/diagnosis';

afterEach(cleanup);

test('a diagnosis for treatment says nothing', () => {
  const { container } = render(<BrokenGlass diagnosis={aDiagnosis()} />);
  expect(container.textContent).toBe('');
});

test('a diagnosis in an emergency says so', () => {
  const plain = aDiagnosis();
  const found = plain.case as NonNullable<typeof plain.case>;
  render(<BrokenGlass diagnosis={aDiagnosis({ case: { ...found, purpose: 'BTG' } })} />);
  expect(screen.getByRole('heading').textContent).toContain('BTG');
});
