import { keysSecret, webhookSecret, Names } from 'names.bicep'
import { roles } from 'roles.bicep'
import { Principals, Tags } from 'types.bicep'

param names Names
param location string
param tags Tags
param principals Principals

@description('Who deploys, and may make API keys; nobody if empty.')
param operatorPrincipal string

@secure()
@description('What webhooks are signed with; none if empty.')
param webhookKey string

// A worker answers probes from other machines, so it asks for keys like a gateway.
var grants = flatten([
  [
    { who: names.gatewayIdentity, principal: principals.gateway, role: roles.keyVaultSecretsUser }
    { who: names.workerIdentity, principal: principals.worker, role: roles.keyVaultSecretsUser }
  ]
  empty(operatorPrincipal)
    ? []
    : [{ who: operatorPrincipal, principal: operatorPrincipal, role: roles.keyVaultSecretsOfficer }]
])

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' = {
  name: names.vault
  location: location
  tags: tags
  properties: {
    enablePurgeProtection: true
    enableRbacAuthorization: true
    enableSoftDelete: true
    sku: { family: 'A', name: 'standard' }
    softDeleteRetentionInDays: 7
    tenantId: tenant().tenantId
  }
}

// The API keys' own secret is not made here: `r1 keys` writes it, and a deployment must not put it back.
resource webhooks 'Microsoft.KeyVault/vaults/secrets@2025-05-01' = if (!empty(webhookKey)) {
  parent: vault
  name: webhookSecret
  properties: { value: webhookKey }
}

resource access 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for grant in grants: {
    name: guid(vault.id, grant.who, grant.role)
    scope: vault
    properties: {
      principalId: grant.principal
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', grant.role)
    }
  }
]

output keys string = '${vault.properties.vaultUri}secrets/${keysSecret}'
