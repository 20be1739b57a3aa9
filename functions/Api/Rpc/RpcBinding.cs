using Google.Protobuf;
using Grpc.Core;

namespace R1Serverless.Api.Rpc;

/// <summary>The service's methods with a reader that tells the client of a message that is no protobuf: as generated it throws, which is answered
/// with UNKNOWN and logged as the server's fault.</summary>
internal static class RpcBinding
{
    /// <summary>Called by Grpc.AspNetCore, see <see cref="BindServiceMethodAttribute"/>.</summary>
    public static void Bind(ServiceBinderBase binder, GRPCInferenceService.GRPCInferenceServiceBase? service) =>
        GRPCInferenceService.BindService(new Binder(binder), service);

    private static Marshaller<T> Guarded<T>(Marshaller<T> marshaller) => new(
        marshaller.ContextualSerializer,
        context =>
        {
            try
            {
                return marshaller.ContextualDeserializer(context);
            }
            catch (InvalidProtocolBufferException fault)
            {
                throw new RpcException(new Status(StatusCode.InvalidArgument, $"The message is no {typeof(T).Name}: {fault.Message}"));
            }
        });

    private sealed class Binder(ServiceBinderBase inner) : ServiceBinderBase
    {
        public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, UnaryServerMethod<TRequest, TResponse>? handler) =>
            inner.AddMethod(Guard(method), handler);

        public override void AddMethod<TRequest, TResponse>(
            Method<TRequest, TResponse> method, ClientStreamingServerMethod<TRequest, TResponse>? handler) => inner.AddMethod(Guard(method), handler);

        public override void AddMethod<TRequest, TResponse>(
            Method<TRequest, TResponse> method, ServerStreamingServerMethod<TRequest, TResponse>? handler) => inner.AddMethod(Guard(method), handler);

        public override void AddMethod<TRequest, TResponse>(
            Method<TRequest, TResponse> method, DuplexStreamingServerMethod<TRequest, TResponse>? handler) => inner.AddMethod(Guard(method), handler);

        private static Method<TRequest, TResponse> Guard<TRequest, TResponse>(Method<TRequest, TResponse> method)
            where TRequest : class
            where TResponse : class =>
            new(method.Type, method.ServiceName, method.Name, Guarded(method.RequestMarshaller), method.ResponseMarshaller);
    }
}
