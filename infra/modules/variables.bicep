import { keysSecret } from 'names.bicep'
import { Settings } from 'types.bicep'

@export()
type Variable = { name: string, value: string }

@export()
@description('Of Service Bus\'s endpoint only the host: its port is the one for HTTPS, and r1 speaks AMQP.')
func busHost(endpoint string) string => split(split(endpoint, '/')[2], ':')[0]

@export()
@description('What gateways and workers read alike. No secrets: the connection string names a place, and opens nothing without a token of the identity.')
func variables(settings Settings, clientId string, storage Variable[], bus string, vault string, insights string, cost string) Variable[] =>
  flatten([
    [
      { name: 'AZURE_CLIENT_ID', value: clientId }
      { name: 'R1_TRANSPORT', value: settings.transport }
      { name: 'R1_KEYS', value: '${vault}secrets/${keysSecret}' }
      { name: 'APPLICATIONINSIGHTS_CONNECTION_STRING', value: insights }
      { name: 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING', value: 'Authorization=AAD;ClientId=${clientId}' }
    ]
    storage
    settings.transport == 'servicebus' ? [{ name: 'R1_SERVICEBUS', value: bus }] : []
    empty(cost) ? [] : [{ name: 'R1_COST_PER_HOUR', value: cost }]
  ])

@export()
type Place = { account: string, bus: string, vault: string, insights: string }

// Above what the app itself takes, so that it is the app that refuses what is larger, in the API's words.
var largestBody = 1024 * 1024 * 1024

@export()
@description('What the Functions host and the gateway behind it read, apart from the secret that webhooks are signed with. Names have letters, digits and underscores only: no home of the gateway takes more.')
func gatewayVariables(settings Settings, clientId string, place Place) Variable[] =>
  flatten([
    // One connection of r1 and of the queue's trigger.
    variables(settings, clientId, connection('R1_STORAGE', 'accountName', place.account, clientId), place.bus, place.vault, place.insights, '')
    connection('AzureWebJobsStorage', 'accountName', place.account, clientId)
    // On Service Bus the workers take the jobs.
    settings.transport == 'storage' ? [] : [{ name: 'AzureWebJobs_InferenceJobs_Disabled', value: 'true' }]
    [
      // The app has keys of its own; the host's would need a place to be kept in.
      { name: 'AzureWebJobsSecretStorageType', value: 'files' }
      { name: 'FUNCTIONS_EXTENSION_VERSION', value: '~4' }
      { name: 'FUNCTIONS_REQUEST_BODY_SIZE_LIMIT', value: string(largestBody) }
      { name: 'FUNCTIONS_WORKER_RUNTIME', value: 'dotnet-isolated' }
      { name: 'R1_SERVE_OPTIONS', value: join(options(settings), ' ') }
    ]
    empty(settings.gateway.entraTenant)
      ? []
      : [
          { name: 'R1_ENTRA_TENANT', value: settings.gateway.entraTenant }
          { name: 'R1_ENTRA_AUDIENCE', value: settings.gateway.entraAudience }
        ]
  ])

func connection(name string, property string, value string, clientId string) Variable[] => [
  { name: '${name}__${property}', value: value }
  { name: '${name}__credential', value: 'managedidentity' }
  { name: '${name}__clientId', value: clientId }
]

func options(settings Settings) string[] =>
  flatten([
    ['--max-wait', string(settings.gateway.maxWaitSeconds), '--retention', string(settings.retentionHours)]
    flatten(map(settings.gateway.webhookHosts, host => ['--webhook-host', host]))
  ])
