import { jobQueue, replyQueue, requestQueues, routeQueues, scaledQueues, Names } from 'names.bicep'
import { roles } from 'roles.bicep'
import { Principals, Tags } from 'types.bicep'

param names Names
param location string
param tags Tags
param principals Principals

@description('See WorkerSettings.')
param routes string[]

var own = routeQueues(routes)

// The code asks for at least fifty deliveries and this lock. Nothing expires: what waits is bounded by deadlines, and ends with an answer.
var queues = [...scaledQueues, ...own, replyQueue]

var both = [roles.serviceBusDataSender, roles.serviceBusDataReceiver]
var grants = flatten([
  // Both roles drive batches and look at what waits; a gateway takes no jobs, and only receives replies.
  flatten(map([...requestQueues, ...own], queue => map(both, role => { queue: queue, role: role, who: 'gateway' })))
  flatten(map(queues, queue => map(both, role => { queue: queue, role: role, who: 'worker' })))
  [
    { queue: jobQueue, role: roles.serviceBusDataSender, who: 'gateway' }
    { queue: replyQueue, role: roles.serviceBusDataReceiver, who: 'gateway' }
  ]
  // To ask for a queue's length takes the right to manage it.
  map([...scaledQueues, ...own], queue => { queue: queue, role: roles.serviceBusDataOwner, who: 'platform' })
])

resource namespace 'Microsoft.ServiceBus/namespaces@2026-01-01' = {
  name: names.serviceBus
  location: location
  tags: tags
  sku: { name: 'Standard', tier: 'Standard' }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
  }
}

resource entities 'Microsoft.ServiceBus/namespaces/queues@2026-01-01' = [
  for name in queues: {
    parent: namespace
    name: name
    properties: {
      lockDuration: 'PT60S'
      maxDeliveryCount: 100
      requiresSession: name == replyQueue
      // Replies expire with the gateway that they were for: nobody would read them among the dead.
      deadLetteringOnMessageExpiration: name != replyQueue
      enablePartitioning: false
      maxSizeInMegabytes: 5120
    }
  }
]

resource access 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for grant in grants: {
    name: guid(namespace.id, grant.queue, grant.who, grant.role)
    scope: entities[indexOf(queues, grant.queue)]
    properties: {
      principalId: principals[grant.who]
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', grant.role)
    }
  }
]
