import { afterEach, expect, test, vi } from 'vitest';

import { type Listed, listDiagnoses } from '@/features/worklist/api/list-diagnoses';

afterEach(() => vi.unstubAllGlobals());

const KNOWN: Listed = { page: { items: [], next: null }, tag: 'W/"1"' };

function answerWith(answer: Response) {
  const sent = vi.fn((_path: string, _init: RequestInit) => Promise.resolve(answer));
  vi.stubGlobal('fetch', sent);
  return () => new Headers(sent.mock.calls[0]?.[1].headers);
}

test('an unchanged list is the one that was known', async () => {
  const headers = answerWith(new Response(null, { status: 304 }));
  expect(await listDiagnoses(50, new AbortController().signal, KNOWN)).toBe(KNOWN);
  expect(headers().get('If-None-Match')).toBe('W/"1"');
});

test('a changed list comes with its new tag', async () => {
  answerWith(new Response('{"items": [], "next": "d-1"}', { headers: { ETag: 'W/"2"' } }));
  const found = await listDiagnoses(50, new AbortController().signal, KNOWN);
  expect(found).toEqual({ page: { items: [], next: 'd-1' }, tag: 'W/"2"' });
});

test('the first question names no tag', async () => {
  const headers = answerWith(new Response('{"items": []}'));
  expect((await listDiagnoses(50, new AbortController().signal, null)).tag).toBeNull();
  expect(headers().has('If-None-Match')).toBe(false);
});
