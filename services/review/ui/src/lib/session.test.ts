import { beforeEach, expect, test } from 'vitest';

import { readUser, takeTokenFromUrl } from '@/lib/session';

// The payload of a JWT: base64url without padding.
function tokenOf(claims: object): string {
  const bytes = new TextEncoder().encode(JSON.stringify(claims));
  const text = btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
  return `e30.${text}.signature`;
}

beforeEach(() => {
  window.location.hash = '';
});

test('a token names its bearer, role and end', () => {
  const user = readUser(tokenOf({ sub: 'dr-müller', role: 'clinician', exp: 1_800_000_000 }));
  expect(user).toEqual({ subject: 'dr-müller', role: 'clinician', expiresAt: new Date('2027-01-15T08:00:00Z') });
});

test.each(['', 'abc', 'a.b.c', tokenOf({ sub: 'x' })])('what is no token of ours names nobody: %s', (text) => {
  expect(readUser(text)).toBeNull();
});

test('a token in the address is taken out of it at once', () => {
  window.location.hash = '#token=a.b.c';
  expect([takeTokenFromUrl(), window.location.hash]).toEqual(['a.b.c', '#/']);
});

test('an address without a token stays as it is', () => {
  window.location.hash = '#/case/1';
  expect([takeTokenFromUrl(), window.location.hash]).toEqual([null, '#/case/1']);
});
