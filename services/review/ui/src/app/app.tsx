import { useRoute } from '@/app/router';
import { Shell } from '@/app/shell';
import { OpenAccesses } from '@/features/break-glass/components/open-accesses';
import { CasePage } from '@/features/case/components/case-page';
import { SignIn } from '@/features/session/components/sign-in';
import { SessionProvider } from '@/features/session/session';
import { WorklistPage } from '@/features/worklist/components/worklist-page';
import { useSession } from '@/lib/session';

/** The whole application: sign in, then work-list or case. */
export function App() {
  return (
    <SessionProvider>
      <Signed />
    </SessionProvider>
  );
}

function Signed() {
  const session = useSession();
  const route = useRoute();
  if (session.user === null) return <SignIn />;
  return (
    <Shell>
      <OpenAccesses />
      {route.page === 'case' ? <CasePage key={route.id} id={route.id} /> : <WorklistPage />}
    </Shell>
  );
}
