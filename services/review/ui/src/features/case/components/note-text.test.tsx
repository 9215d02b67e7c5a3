import { cleanup, render, screen } from '@testing-library/react';
import { afterEach, expect, test } from 'vitest';

import { NoteText } from '@/features/case/components/note-text';

afterEach(cleanup);

const TEXT = 'Fever. No cough. Smokes.';
const SPANS = [
  { start: 0, end: 5, contribution: 0.4, negated: false },
  { start: 7, end: 15, contribution: 0.1, negated: true },
  { start: 17, end: 23, contribution: -0.2, negated: false },
];

test('what speaks for and what against differ in more than colour', () => {
  const { container } = render(<NoteText text={TEXT} spans={SPANS} />);
  const marks = [...container.querySelectorAll('mark')].map((mark) => mark.className.trim());
  expect(marks).toEqual(['span span-for', 'span span-for span-negated', 'span span-against']);
});

test('a mark says what it contributed to whoever cannot see it', () => {
  render(<NoteText text={TEXT} spans={SPANS} />);
  expect(screen.getByText('against −0.20 log-odds')).toBeTruthy();
});

test('markup in a note is text', () => {
  const { container } = render(<NoteText text="<img src=x> fever" spans={[]} />);
  expect(container.querySelector('img')).toBeNull();
});
