import { cleanup, fireEvent, render, screen } from '@testing-library/react';
import type { ReactNode } from 'react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { listAccesses } from '@/features/break-glass/api/list-accesses';
import { reviewAccess } from '@/features/break-glass/api/review-access';
import { OpenAccesses } from '@/features/break-glass/components/open-accesses';
import type { BreakGlass } from '@/lib/contract';
import { SessionContext } from '@/lib/session';

vi.mock('@/features/break-glass/api/list-accesses', () => ({ listAccesses: vi.fn() }));
vi.mock('@/features/break-glass/api/review-access', () => ({ reviewAccess: vi.fn(() => Promise.resolve()) }));

beforeEach(() => vi.clearAllMocks());
afterEach(cleanup);

const ACCESS: BreakGlass = {
  id: 'a-1',
  patient: 'P-1',
  purpose: 'BTG',
  modalities: ['image'],
  reason: 'Unconscious, no relatives.',
  by: 'dr-hill',
  openedAt: '2026-03-14T09:30:00Z',
  expiresAt: '2026-03-14T10:30:00Z',
  reviewDueAt: '2026-03-15T09:30:00Z',
  state: 'open',
  review: null,
  index: 7,
};

function show(subject: string, role: string, ...items: BreakGlass[]) {
  vi.mocked(listAccesses).mockResolvedValue({ items });
  const session = { user: { subject, name: subject, role, expiresAt: null }, signOut: vi.fn() };
  const around = ({ children }: { children: ReactNode }) => (
    <SessionContext.Provider value={session}>{children}</SessionContext.Provider>
  );
  return render(<OpenAccesses />, { wrapper: around });
}

test('an auditor sees what waits, what is overdue, and reviews it', async () => {
  show('auditor-1', 'auditor', ACCESS, { ...ACCESS, id: 'a-2', state: 'overdue' });
  expect(await screen.findByText(/2 accesses against a denial wait/)).toBeTruthy();
  expect(screen.getByRole('heading').textContent).toContain('1 overdue');
  fireEvent.click(screen.getAllByRole('button', { name: 'Not justified' })[0] as HTMLElement);
  await vi.waitFor(() => expect(vi.mocked(listAccesses)).toHaveBeenCalledTimes(2));
  expect(vi.mocked(reviewAccess).mock.calls).toEqual([['a-1', { finding: 'unjustified' }]]);
});

test('who broke the glass cannot review it', async () => {
  show('dr-hill', 'clinician', ACCESS);
  expect(await screen.findByText(/Another person has to review it/)).toBeTruthy();
  expect(screen.queryByRole('button')).toBeNull();
});

test('nothing is said where nothing waits, and others do not ask', async () => {
  const { container } = show('auditor-1', 'auditor');
  await vi.waitFor(() => expect(vi.mocked(listAccesses)).toHaveBeenCalledTimes(1));
  expect(container.textContent).toBe('');
  cleanup();
  show('root', 'admin', ACCESS);
  expect(vi.mocked(listAccesses)).toHaveBeenCalledTimes(1);
});
