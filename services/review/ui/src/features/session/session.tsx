import { type ReactNode, useCallback, useEffect, useMemo, useState } from 'react';

import { onUnauthenticated } from '@/lib/http';
import {
  readUser,
  type Session,
  SessionContext,
  storedToken,
  storeToken,
  takeTokenFromUrl,
  type User,
} from '@/lib/session';

const EXPIRED = 'Your session has ended. Sign in again to go on; nothing was lost.';
// setTimeout takes at most 2^31 - 1 ms.
const LONGEST_MS = 2 ** 31 - 1;

function startUser(): User | null {
  const fromUrl = takeTokenFromUrl();
  if (fromUrl !== null) storeToken(fromUrl);
  const token = storedToken();
  return token === null ? null : readUser(token);
}

/** Holds who is signed in, and ends the session when the token expires or a service refuses it. */
export function SessionProvider({ children }: { children: ReactNode }) {
  const [user, setUser] = useState<User | null>(startUser);
  const [notice, setNotice] = useState<string | null>(null);

  const signOut = useCallback((why?: string) => {
    storeToken(null);
    setUser(null);
    setNotice(why ?? null);
  }, []);

  const signIn = useCallback((token: string) => {
    storeToken(token);
    setUser(readUser(token));
    setNotice(null);
  }, []);

  useEffect(() => onUnauthenticated(() => signOut(EXPIRED)), [signOut]);

  useEffect(() => {
    function followLink() {
      const token = takeTokenFromUrl();
      if (token !== null) signIn(token);
    }
    window.addEventListener('hashchange', followLink);
    return () => window.removeEventListener('hashchange', followLink);
  }, [signIn]);

  useEffect(() => {
    if (!user?.expiresAt) return;
    const left = Math.min(user.expiresAt.getTime() - Date.now(), LONGEST_MS);
    const timer = setTimeout(() => signOut(EXPIRED), Math.max(left, 0));
    return () => clearTimeout(timer);
  }, [user, signOut]);

  const session = useMemo<Session>(() => ({ user, notice, signIn, signOut }), [user, notice, signIn, signOut]);
  return <SessionContext.Provider value={session}>{children}</SessionContext.Provider>;
}
