import { createContext, useContext } from 'react';

/** Who is signed in, as the token says. The services verify the token; this is only for display. */
export type User = { subject: string; name: string; role: string; expiresAt: Date | null };

export type Session = { user: User; signOut: () => void };

const KEY = 'consilium.token';
const ROLES: readonly unknown[] = ['clinician', 'ehr-system', 'auditor', 'admin', 'researcher', 'service'];

export const SessionContext = createContext<Session | null>(null);

/** The session of this tab. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === null) throw new Error('useSession is for those who are signed in');
  return session;
}

/** The bearer token of this tab; it ends with the tab. */
export function storedToken(): string | null {
  return sessionStorage.getItem(KEY);
}

export function storeToken(token: string | null): void {
  if (token === null) sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, token);
}

/** Takes a token out of `#token=…` and out of the address bar and history, at once. */
export function takeTokenFromUrl(): string | null {
  const found = /^#token=(.+)$/.exec(window.location.hash);
  if (!found?.[1]) return null;
  window.history.replaceState(null, '', `${window.location.pathname}#/`);
  return decodeURIComponent(found[1]);
}

/**
 * What a JWT says of its bearer; null when it is none, or names not exactly one role of the suite.
 *
 * Dots in `roleClaim` lead into objects (`realm_access.roles`); the role is a text, or one among others in a list.
 */
export function readUser(token: string, roleClaim = 'role'): User | null {
  const payload = token.split('.')[1];
  if (payload === undefined) return null;
  try {
    const bytes = Uint8Array.from(atob(payload.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    const [sub, exp, role] = [part(claims, 'sub'), part(claims, 'exp'), roleOf(claims, roleClaim)];
    if (typeof sub !== 'string' || role === null) return null;
    return { subject: sub, name: sub, role, expiresAt: typeof exp === 'number' ? new Date(exp * 1000) : null };
  } catch {
    return null;
  }
}

function roleOf(claims: unknown, roleClaim: string): string | null {
  const said = roleClaim.split('.').reduce(part, claims);
  const named = new Set((Array.isArray(said) ? said : [said]).filter((one) => ROLES.includes(one)));
  return named.size === 1 ? String([...named][0]) : null;
}

function part(whole: unknown, name: string): unknown {
  return typeof whole === 'object' && whole !== null ? (whole as Record<string, unknown>)[name] : undefined;
}
