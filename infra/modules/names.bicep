// The names of all resources, for templates that are deployed apart and find each other by them.

@export()
@description('Of one deployment: 13 letters and digits that no other has.')
func token(subscriptionId string, environmentName string, location string) string =>
  toLower(uniqueString(subscriptionId, environmentName, location))

@export()
func names(environmentName string, token string) Names => {
  group: 'rg-${environmentName}'
  storage: 'st${token}'
  serviceBus: 'sb-${token}'
  registry: 'cr${token}'
  vault: 'kv-${token}'
  logs: 'log-${token}'
  insights: 'appi-${token}'
  environment: 'cae-${token}'
  gatewayIdentity: 'id-gateway-${token}'
  workerIdentity: 'id-worker-${token}'
  platformIdentity: 'id-platform-${token}'
  gateway: 'ca-gateway-${token}'
  worker: 'ca-worker-${token}'
  plan: 'plan-${token}'
  premiumGateway: 'func-${token}'
  actions: 'ag-${token}'
  budget: 'budget-${token}'
}

@export()
type Names = {
  group: string
  storage: string
  serviceBus: string
  registry: string
  vault: string
  logs: string
  insights: string
  environment: string
  gatewayIdentity: string
  workerIdentity: string
  platformIdentity: string
  gateway: string
  worker: string
  plan: string
  premiumGateway: string
  actions: string
  budget: string
}

// What the code calls them.

@export()
var requestQueues = ['r1-interactive', 'r1-bulk']

@export()
@description('The queues of single models, and of precisions of theirs that requests name.')
func routeQueues(routes string[]) string[] =>
  flatten(map(['r1-interactive', 'r1-bulk'], queue => map(routes, route => '${queue}-${route}')))

@export()
var replyQueue = 'r1-replies'

@export()
var jobQueue = 'inference-jobs'

@export()
@description('What workers drain, and are scaled by.')
var scaledQueues = [...requestQueues, jobQueue]

@export()
var container = 'r1serverless'

@export()
var modelsContainer = 'models'

@export()
var keysSecret = 'api-keys'

@export()
var webhookSecret = 'webhook-secret'
