import { cleanup, render, screen } from '@testing-library/react';
import { afterEach, expect, test } from 'vitest';

import { MarkList } from '@/features/case/components/mark-list';
import { seriesOf } from '@/features/case/lib/vitals-series';
import { vitalSign } from '@/lib/vital-signs';

afterEach(cleanup);

const HEART_RATE = '8867-4';
const sample = (value: number, flags: ('out-of-range' | 'spike')[] = []) => ({
  code: HEART_RATE,
  value,
  unit: '/min',
  effective: '2026-01-01T00:00:00Z',
  flags,
});

test('each reason is told in words with the samples that bear it', () => {
  const [series] = seriesOf([sample(70), sample(400, ['out-of-range']), sample(150, ['spike'])], []);
  render(<MarkList series={series!} sign={vitalSign(HEART_RATE)} />);
  expect(screen.getByText('1 set aside, 1 doubtful')).toBeTruthy();
  expect(screen.getByText(/1 set aside: outside of what a body can have/).textContent).toContain('400 /min');
});

test('of many samples the first are named and the others counted', () => {
  const [series] = seriesOf(Array.from({ length: 13 }, () => sample(400, ['out-of-range'])), []);
  render(<MarkList series={series!} sign={vitalSign(HEART_RATE)} />);
  expect(screen.getByText(/13 set aside/, { selector: 'li' }).textContent).toContain('and 9 more');
});

test('a variable without marks shows nothing of them', () => {
  const [series] = seriesOf([sample(70)], []);
  const { container } = render(<MarkList series={series!} sign={vitalSign(HEART_RATE)} />);
  expect(container.textContent).toBe('');
});
