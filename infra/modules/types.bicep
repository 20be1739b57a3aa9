// What can be set, and to what.

@export()
@description('What differs between deployments.')
type Settings = {
  @description('How gateway and worker are connected: Azure Storage alone, or Service Bus with results in Azure Storage.')
  transport: 'storage' | 'servicebus'

  @description('Where the gateway lives: as a Functions app on Container Apps, or on a Premium plan of Functions.')
  gatewayHome: 'containerapps' | 'premium'

  @description('The worker\'s GPU, one for each replica; none is the CPU.')
  gpu: 'none' | 'T4' | 'A100'

  worker: WorkerSettings
  gateway: GatewaySettings

  @description('Hours for which results are kept for clients to come back for.')
  @minValue(1)
  @maxValue(8760)
  retentionHours: int

  @description('Days after which files, batches and the files of queue jobs are deleted; results that nobody purged go after 15 days and the retention.')
  @minValue(15)
  @maxValue(3650)
  fileRetentionDays: int

  @description('Days for which Log Analytics keeps logs, traces and metrics.')
  @minValue(30)
  @maxValue(730)
  logRetentionDays: int

  @description('Who is told of alerts and of the budget; nobody if empty.')
  mails: string[]

  @description('Per month, in the subscription\'s currency; 0 for no budget. It warns, it stops nothing.')
  @minValue(0)
  monthlyBudget: int

  @description('Tags of all resources.')
  tags: Tags
}

@export()
type Tags = { *: string }

@export()
type WorkerSettings = {
  @description('How many are kept warm. 0 costs nothing at idle, and the first caller waits for the start of a container and the load of the model.')
  @minValue(0)
  @maxValue(100)
  minReplicas: int

  @minValue(1)
  @maxValue(100)
  maxReplicas: int

  @description('Requests in a queue, those being worked on included, for which there shall be one replica: what one keeps running at once.')
  @minValue(1)
  @maxValue(1024)
  requestsPerReplica: int

  @description('Seconds without work after which the last replicas above the minimum go.')
  @minValue(30)
  @maxValue(7200)
  cooldownSeconds: int

  @description('Seconds in which running answers may end when a replica is taken away; Container Apps waits ten minutes at most.')
  @minValue(0)
  @maxValue(585)
  graceSeconds: int

  @description('What an hour of a replica costs, such as 0.75, for the metric inference_cost; empty if nobody said.')
  costPerHour: string

  @description('Which models a worker serves: those built into its image, or those of the account\'s container for models.')
  models: 'image' | 'repository'

  @description('What requests for each model are queued as, as `r1 queue names MODEL MODEL:PRECISION` prints it: workers are scaled by these queues too.')
  routes: string[]

  @description('Further arguments of r1 serve, such as --model, --kv-memory, --max-wait.')
  arguments: string[]
}

@export()
type GatewaySettings = {
  @description('With 0 the first caller waits for the start of a container; where the platform does not see jobs in the queue, they are left to workers.')
  @minValue(0)
  @maxValue(20)
  minReplicas: int

  @minValue(1)
  @maxValue(100)
  maxReplicas: int

  @description('A request that would wait longer for a worker is refused. More than a worker takes to start, where none is kept warm.')
  @minValue(1)
  @maxValue(86400)
  maxWaitSeconds: int

  @description('Hosts that clients may have called with results, such as hooks.example.com; needs R1_WEBHOOK_SECRET.')
  webhookHosts: string[]

  @description('The Microsoft Entra tenant whose tokens are taken beside keys; empty for none.')
  entraTenant: string

  @description('Client ids or application id URIs that such tokens must be made for, separated by commas.')
  entraAudience: string
}

@export()
@description('Object ids of the three identities.')
type Principals = { gateway: string, worker: string, platform: string }
