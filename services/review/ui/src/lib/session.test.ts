import { beforeEach, expect, test } from 'vitest';

import { readUser, takeTokenFromUrl } from '@/lib/session';
import { tokenOf } from '@/testing/tokens';

beforeEach(() => {
  window.location.hash = '';
});

test('a token names its bearer, role and end', () => {
  const user = readUser(tokenOf({ sub: 'dr-müller', role: 'clinician', exp: 1_800_000_000 }));
  expect(user).toEqual({ subject: 'dr-müller', name: 'dr-müller', role: 'clinician', expiresAt: new Date('2027-01-15T08:00:00Z') });
});

test.each([
  ['role', { sub: 'x', role: ['default-roles', 'auditor'] }, 'auditor'],
  ['realm_access.roles', { sub: 'x', realm_access: { roles: ['clinician', 'offline_access'] } }, 'clinician'],
  ['role', { sub: 'x', role: ['clinician', 'admin'] }, undefined],
  ['role', { sub: 'x', role: ['visitor'] }, undefined],
  ['realm_access.roles', { sub: 'x', role: 'clinician' }, undefined],
])('the one role of the suite is read at %s: %o', (claim, claims, role) => {
  expect(readUser(tokenOf(claims), claim)?.role).toBe(role);
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
