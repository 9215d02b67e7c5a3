import { lazy, type ReactNode, Suspense, useState } from 'react';

import { ErrorState, Loading } from '@/components/states';
import { getSignInOptions } from '@/features/session/api/get-sign-in-options';
import { SignInPanel } from '@/features/session/components/sign-in-panel';
import { TokenSession } from '@/features/session/token-session';
import { takeTokenFromUrl } from '@/lib/session';
import { useResource } from '@/lib/use-resource';

// What speaks OIDC is loaded only where it is spoken.
const HospitalSession = lazy(() =>
  import('@/features/session/hospital-session').then((found) => ({ default: found.HospitalSession })),
);

const starting = (
  <SignInPanel>
    <Loading label="Starting …" lines={2} />
  </SignInPanel>
);

/** Shows its children to whoever is signed in, and else the way to sign in that this suite has. */
export function SessionProvider({ children }: { children: ReactNode }) {
  // At once, whatever becomes of it.
  const [linked] = useState(takeTokenFromUrl);
  const options = useResource('sign-in-options', getSignInOptions);
  if (options.data === null) {
    if (options.error === null) return starting;
    return (
      <SignInPanel>
        <ErrorState error={options.error} retry={options.reload} />
      </SignInPanel>
    );
  }
  const server = options.data.oidc;
  if (server === null) return <TokenSession linked={linked}>{children}</TokenSession>;
  return (
    <Suspense fallback={starting}>
      <HospitalSession server={server}>{children}</HospitalSession>
    </Suspense>
  );
}
