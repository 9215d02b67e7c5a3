import { cleanup, fireEvent, render, screen } from '@testing-library/react';
import { afterEach, expect, test, vi } from 'vitest';

import { Outdated } from '@/features/case/components/outdated';
import { requestDiagnosis } from '@/lib/request-diagnosis';
import { aDiagnosis } from '@/testing/diagnosis';

vi.mock('@/lib/request-diagnosis', () => ({ requestDiagnosis: vi.fn(() => Promise.resolve({ id: 'd-2' })) }));

afterEach(cleanup);

const CHANGE = { modality: 'note', happening: 'replaced', evidence: 'n-1', text: 'A note was replaced.' } as const;
const OUTDATED = { since: '2026-03-14T10:00:00Z', changes: [CHANGE, { ...CHANGE, evidence: 'n-2' }] };

test('a diagnosis whose evidence stands says nothing', () => {
  const { container } = render(<Outdated diagnosis={aDiagnosis()} />);
  expect(container.textContent).toBe('');
});

test('each kind of change is told once', () => {
  render(<Outdated diagnosis={aDiagnosis({ outdated: OUTDATED })} />);
  expect(screen.getAllByText('A note was replaced.')).toHaveLength(1);
});

test('asking again asks as of the same time and opens the new case', async () => {
  render(<Outdated diagnosis={aDiagnosis({ outdated: OUTDATED })} />);
  fireEvent.click(screen.getByRole('button', { name: 'Ask again, as of the same time' }));
  await vi.waitFor(() => expect(window.location.hash).toBe('#/case/d-2'));
  expect(vi.mocked(requestDiagnosis).mock.calls[0]).toEqual(['P-1', 'routine', expect.any(String), '2026-03-14T09:30:00Z']);
});

test('a superseded diagnosis leads to the newer one', () => {
  render(<Outdated diagnosis={aDiagnosis({ outdated: { ...OUTDATED, supersededBy: 'd-3' } })} />);
  expect(screen.getByRole('link', { name: 'Open the newer diagnosis' }).getAttribute('href')).toBe('#/case/d-3');
  expect(screen.queryByRole('button')).toBeNull();
});
