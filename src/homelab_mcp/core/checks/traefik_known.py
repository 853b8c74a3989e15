"""The options of Traefik's static configuration, as Traefik 3.7 lists them (``traefik --help``), in lower case."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from homelab_mcp.core.checks.key_tree import Tree, tree_of

_TEXT = (
    "accesslog(addinternals bufferingsize dualoutput fields(defaultmode headers(defaultmode names(*)) names(*) "
    "queryparameters(defaultmode)) filepath filters(minduration retryattempts statuscodes) format "
    "otlp(grpc(endpoint headers(*) insecure tls(ca cert insecureskipverify key)) http(endpoint headers(*) tls(ca "
    "cert insecureskipverify key)) resourceattributes(*) servicename)) api(basepath dashboard dashboardname debug "
    "disabledashboardad insecure) certificatesresolvers(*(acme(cacertificates caserver caservername "
    "casystemcertpool certificatesduration certificatetimeout clientresponseheadertimeout clienttimeout "
    "disablecommonname dnschallenge(delaybeforecheck disablepropagationcheck propagation(delaybeforechecks "
    "disableanschecks disablechecks requireallrns) provider resolvers) eab(hmacencoded kid) email emailaddresses "
    "httpchallenge(delay entrypoint) keytype preferredchain profile storage tlschallenge(delay)) tailscale)) "
    "core(defaultrulesyntax stricttlsoptions) entrypoints(*(address allowacmebypass asdefault "
    "forwardedheaders(connection insecure notappendxforwardedfor trustedips) http(aliasheadersstrategy "
    "encodedcharacters(allowencodedbackslash allowencodedhash allowencodednullcharacter allowencodedpercent "
    "allowencodedquestionmark allowencodedsemicolon allowencodedslash) encodequerysemicolons maxheaderbytes "
    "middlewares redirections(entrypoint(permanent priority scheme to)) sanitizepath tls(certresolver domains(main "
    "sans) options) underscoreheadersstrategy) http2(maxconcurrentstreams maxdecoderheadertablesize "
    "maxencoderheadertablesize) http3(advertisedport) observability(accesslogs metrics traceverbosity tracing) "
    "proxyprotocol(insecure trustedips) reuseport transport(keepalivemaxrequests keepalivemaxtime "
    "lifecycle(gracetimeout requestacceptgracetimeout) respondingtimeouts(idletimeout readtimeout writetimeout)) "
    "udp(timeout))) experimental(abortonpluginfailure fastproxy(debug) knative kubernetesgateway "
    "kubernetesingressnginx localplugins(*(modulename settings)) otlplogs plugins(*(hash modulename settings "
    "version))) global(checknewversion notappendxforwardedfor sendanonymoususage) hostresolver(cnameflattening "
    "resolvconfig resolvdepth) log(compress filepath format level maxage maxbackups maxsize nocolor "
    "otlp(grpc(endpoint headers(*) insecure tls(ca cert insecureskipverify key)) http(endpoint headers(*) tls(ca "
    "cert insecureskipverify key)) resourceattributes(*) servicename)) metrics(addinternals "
    "datadog(addentrypointslabels address addrouterslabels addserviceslabels prefix pushinterval) "
    "influxdb2(addentrypointslabels additionallabels(*) address addrouterslabels addserviceslabels bucket org "
    "pushinterval token) otlp(addentrypointslabels addrouterslabels addserviceslabels explicitboundaries "
    "grpc(endpoint headers(*) insecure tls(ca cert insecureskipverify key)) http(endpoint headers(*) tls(ca cert "
    "insecureskipverify key)) pushinterval resourceattributes(*) servicename) prometheus(addentrypointslabels "
    "addrouterslabels addserviceslabels buckets entrypoint headerlabels(*) manualrouting) "
    "statsd(addentrypointslabels address addrouterslabels addserviceslabels prefix pushinterval)) "
    "ocsp(responderoverrides(*)) ping(entrypoint manualrouting terminatingstatuscode) providers(consul(endpoints "
    "namespaces rootkey tls(ca cert insecureskipverify key) token) consulcatalog(cache connectaware "
    "connectbydefault constraints defaultrule endpoint(address datacenter endpointwaittime httpauth(password "
    "username) scheme tls(ca cert insecureskipverify key) token) exposedbydefault namespaces prefix refreshinterval "
    "requireconsistent servicename stale strictchecks watch) docker(allowemptyservices constraints defaultrule "
    "endpoint exposedbydefault httpclienttimeout network password tls(ca cert insecureskipverify key) usebindportip "
    "username watch) ecs(accesskeyid autodiscoverclusters clusters constraints defaultrule ecsanywhere "
    "exposedbydefault healthytasksonly refreshseconds region secretaccesskey) etcd(endpoints password rootkey "
    "tls(ca cert insecureskipverify key) username) file(debugloggeneratedtemplate directory filename watch) "
    "http(endpoint headers(*) maxresponsebodysize pollinterval polltimeout tls(ca cert insecureskipverify key)) "
    "knative(certauthfilepath endpoint labelselector namespaces privateentrypoints privateservice(name namespace) "
    "publicentrypoints publicservice(name namespace) throttleduration token) kubernetescrd(allowcrossnamespace "
    "allowemptyservices allowexternalnameservices certauthfilepath crossprovidernamespaces "
    "defaulttlsresourcesnamespace disableclusterscoperesources endpoint ingressclass labelselector namespaces "
    "nativelbbydefault safenaming throttleduration token) kubernetesgateway(burst certauthfilepath "
    "crossprovidernamespaces endpoint experimentalchannel gateways(name namespace) labelselector namespaces "
    "nativelbbydefault qps statusaddress(hostname ip service(name namespace)) throttleduration token) "
    "kubernetesingress(allowemptyservices allowexternalnameservices certauthfilepath crossprovidernamespaces "
    "disableclusterscoperesources disableingressclasslookup endpoint ingressclass ingressendpoint(hostname ip "
    "publishedservice) labelselector namespaces nativelbbydefault strictprefixmatching throttleduration token) "
    "kubernetesingressnginx(allowcrossnamespaceresources allowsnippetannotations certauthfilepath "
    "clientbodybuffersize controllerclass customhttperrors defaultbackendservice disablesvcexternalname endpoint "
    "globalallowedresponseheaders globalauthurl httpentrypoint httpsentrypoint ingressclass ingressclassbyname "
    "ipallowliststrategy(depth excludedips ipv6subnet) proxybodysize proxybuffering proxybuffersize "
    "proxybuffersnumber proxyconnecttimeout proxynextupstream proxynextupstreamtimeout proxynextupstreamtries "
    "proxyreadtimeout proxyrequestbuffering proxysendtimeout publishservice publishstatusaddress "
    "strictvalidatepathtype throttleduration token upstreamkeepalivetimeout watchingresswithoutclass watchnamespace "
    "watchnamespaceselector) nomad(allowemptyservices constraints defaultrule endpoint(address endpointwaittime "
    "region tls(ca cert insecureskipverify key) token) exposedbydefault namespaces prefix refreshinterval stale "
    "throttleduration watch) plugin(*) precedence providersthrottleduration redis(db endpoints password rootkey "
    "sentinel(latencystrategy mastername password randomstrategy replicastrategy usedisconnectedreplicas username) "
    "tls(ca cert insecureskipverify key) username) rest(insecure) swarm(allowemptyservices constraints defaultrule "
    "endpoint exposedbydefault httpclienttimeout network password refreshseconds tls(ca cert insecureskipverify "
    "key) usebindportip username watch) zookeeper(endpoints password rootkey username)) "
    "serverstransport(forwardingtimeouts(dialtimeout idleconntimeout responseheadertimeout) insecureskipverify "
    "maxidleconnsperhost rootcas spiffe(ids trustdomain)) spiffe(workloadapiaddr) tcpserverstransport(dialkeepalive "
    "dialtimeout terminationdelay tls(insecureskipverify rootcas spiffe(ids trustdomain))) tracing(addinternals "
    "capturedrequestheaders capturedresponseheaders globalattributes(*) otlp(grpc(endpoint headers(*) insecure "
    "tls(ca cert insecureskipverify key)) http(endpoint headers(*) tls(ca cert insecureskipverify key))) "
    "resourceattributes(*) safequeryparams samplerate servicename)"
)
"""``name(option option)``; ``*`` is a name of one's own. What is below an option without brackets is not judged."""

DYNAMIC = frozenset({"http", "tcp", "udp", "tls"})
"""Sections of dynamic files, which Traefik does not look at in the static one."""


@cache
def _tree() -> Tree:
    return tree_of(_TEXT)


class Unknown(NamedTuple):
    """An option that is none: at which depth of its path, the section it stands in, and what is near it."""

    depth: int
    section: str
    near: str


def unknown_in(words: Sequence[str]) -> Unknown | None:
    """What is not known of an option, given by its path in lower case (``providers``, ``docker``, ...)."""
    here = _tree()
    for depth, word in enumerate(words):
        found = here.get(word, here.get("*"))
        if found is None:
            near = difflib.get_close_matches(word, here, n=1)
            return Unknown(depth, ".".join(words[:depth]), near[0] if near else "")
        if not found:
            return None
        here = found
    return None
