import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { keepTokens, Problem, requestJson, sameOrigin } from '@/lib/http';
import { storeToken } from '@/lib/session';

test.each([
  ['/diagnoses/1/heatmaps/2', '/diagnoses/1/heatmaps/2'],
  ['https://elsewhere.example/steal?x=1', '/steal?x=1'],
  ['//elsewhere.example/steal', '/steal'],
])('the token goes to this origin only: %s', (url, path) => {
  expect(sameOrigin(url)).toBe(path);
});

const sent: (string | undefined)[] = [];

/** A service that takes one token alone. */
function serviceThatTakes(token: string) {
  vi.stubGlobal('fetch', (_: string, { headers }: { headers: Record<string, string> }) => {
    sent.push(headers.Authorization);
    const taken = headers.Authorization === `Bearer ${token}`;
    return Promise.resolve(new Response(JSON.stringify(taken ? { ok: true } : { title: 'No' }), { status: taken ? 200 : 401 }));
  });
}

beforeEach(() => {
  sent.length = 0;
  storeToken('old');
});
afterEach(() => vi.unstubAllGlobals());

test('a refused token is exchanged once, and the request is made again', async () => {
  serviceThatTakes('new');
  const refused = vi.fn();
  const stop = keepTokens({
    renew: (token) => {
      expect(token).toBe('old');
      storeToken('new');
      return Promise.resolve(true);
    },
    refused,
  });
  expect(await requestJson('/diagnoses')).toEqual({ ok: true });
  expect([sent, refused.mock.calls.length]).toEqual([['Bearer old', 'Bearer new'], 0]);
  stop();
});

test.each([true, false])('a newest token that is refused ends it, renewed or not: %s', async (renewed) => {
  serviceThatTakes('nobody-has-this');
  const refused = vi.fn();
  const stop = keepTokens({ renew: () => Promise.resolve(renewed), refused });
  await expect(requestJson('/diagnoses')).rejects.toThrow(Problem);
  expect([sent.length, refused.mock.calls.length]).toEqual([renewed ? 2 : 1, 1]);
  stop();
});

test('while the server cannot be asked for another token, nobody is thrown out', async () => {
  serviceThatTakes('nobody-has-this');
  const refused = vi.fn();
  const stop = keepTokens({ renew: () => Promise.reject(new Problem(0, 'No answer', 'Try again.')), refused });
  await expect(requestJson('/diagnoses')).rejects.toThrow('No answer');
  expect(refused).not.toHaveBeenCalled();
  stop();
});
