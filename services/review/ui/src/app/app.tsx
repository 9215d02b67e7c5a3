import { useRoute } from '@/app/router';
import { Shell } from '@/app/shell';
import { OpenAccesses } from '@/features/break-glass/components/open-accesses';
import { CasePage } from '@/features/case/components/case-page';
import { SessionProvider } from '@/features/session/session';
import { WorklistPage } from '@/features/worklist/components/worklist-page';

/** The whole application: sign in, then work-list or case. */
export function App() {
  return (
    <SessionProvider>
      <Pages />
    </SessionProvider>
  );
}

function Pages() {
  const route = useRoute();
  return (
    <Shell>
      <OpenAccesses />
      {route.page === 'case' ? <CasePage key={route.id} id={route.id} /> : <WorklistPage />}
    </Shell>
  );
}
