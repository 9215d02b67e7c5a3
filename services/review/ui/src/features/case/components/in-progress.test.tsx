import { cleanup, render, screen } from '@testing-library/react';
import { afterEach, expect, test } from 'vitest';

import { InProgress } from '@/features/case/components/in-progress';

afterEach(cleanup);

const LACKS = { reason: 'The imaging service is not answering.', tries: 2, againAt: '2026-03-14T09:30:04Z' };

test('a diagnosis that was put off says what it lacks, and that nobody need ask again', () => {
  render(<InProgress status="queued" stage="waiting" waiting={LACKS} />);
  const told = screen.getByRole('status').textContent;
  expect(told).toContain('2 times');
  expect(told).toContain('tried again by itself');
  expect(told).toContain(LACKS.reason);
});

test('one that waits its turn lacks nothing', () => {
  render(<InProgress status="queued" stage={null} waiting={null} />);
  expect(screen.queryByRole('status')).toBeNull();
});

test('one that is worked at again no longer waits, whatever was read before', () => {
  render(<InProgress status="running" stage="fetch" waiting={LACKS} />);
  expect(screen.queryByRole('status')).toBeNull();
});
