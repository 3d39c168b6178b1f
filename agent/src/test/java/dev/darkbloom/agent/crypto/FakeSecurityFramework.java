package dev.darkbloom.agent.crypto;

import java.lang.foreign.AddressLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Signature;
import java.security.interfaces.ECPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;

/**
 * A twin of the frameworks that {@link SecurityFramework} calls, through real calls of C functions: objects are counted references, keys
 * are this Java's, and what the frameworks refuse is refused with their codes. A call with a freed or wrong object fails the process's
 * test.
 */
final class FakeSecurityFramework implements SymbolLookup {
    static final int MISSING_ENTITLEMENT = -34018;
    static final int PARAMETER = -50;

    private static final AddressLayout POINTER = ValueLayout.ADDRESS.withTargetLayout(MemoryLayout.sequenceLayout(4096,
            ValueLayout.JAVA_BYTE));

    private final Arena arena;
    private final Map<String, MemorySegment> symbols = new HashMap<>();
    private final Map<Long, Counted> objects = new HashMap<>();
    private final Map<String, KeyPair> enclave; // outlives the process: sealed form to key
    private final boolean hasEnclave;

    private record Constant(String name) {}

    private record Text(String text) {}

    private record Bytes(byte[] bytes) {}

    private record Number(int value) {}

    private record ErrorObject(int code) {}

    private record AccessControl(long flags) {}

    private record Key(String sealedForm, KeyPair pair, boolean isPublic) {}

    private static final class Counted {
        private final Object object;
        private int references = 1;

        Counted(Object object) {
            this.object = object;
        }
    }

    FakeSecurityFramework(Arena arena, Map<String, KeyPair> enclave, boolean hasEnclave) {
        this.arena = arena;
        this.enclave = enclave;
        this.hasEnclave = hasEnclave;
        for (Method method : FakeSecurityFramework.class.getDeclaredMethods()) {
            if (method.getName().startsWith("CF") || method.getName().startsWith("Sec")) {
                symbols.put(method.getName(), stub(method));
            }
        }
    }

    private MemorySegment stub(Method method) {
        try {
            var layouts = new MemoryLayout[method.getParameterCount()];
            for (int i = 0; i < layouts.length; i++) {
                layouts[i] = layout(method.getParameterTypes()[i]);
            }
            FunctionDescriptor shape = method.getReturnType() == void.class
                    ? FunctionDescriptor.ofVoid(layouts)
                    : FunctionDescriptor.of(layout(method.getReturnType()), layouts);
            return Linker.nativeLinker().upcallStub(MethodHandles.lookup().unreflect(method).bindTo(this), shape, arena);
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e);
        }
    }

    private static MemoryLayout layout(Class<?> type) {
        return type == MemorySegment.class ? POINTER : type == long.class ? ValueLayout.JAVA_LONG : ValueLayout.JAVA_INT;
    }

    @Override
    public Optional<MemorySegment> find(String name) {
        if (name.startsWith("k")) {
            symbols.computeIfAbsent(name, constant -> {
                MemorySegment variable = arena.allocate(ValueLayout.ADDRESS);
                variable.set(ValueLayout.ADDRESS, 0, create(new Constant(constant)));
                return variable;
            });
        }
        return Optional.ofNullable(symbols.get(name));
    }

    /** Returns how many objects are alive that somebody created, keys included. */
    long alive() {
        return objects.values().stream().filter(counted -> !(counted.object instanceof Constant)).count();
    }

    private MemorySegment create(Object object) {
        MemorySegment place = arena.allocate(16);
        objects.put(place.address(), new Counted(object));
        return place;
    }

    private Counted counted(MemorySegment reference) {
        Counted counted = objects.get(reference.address());
        if (counted == null) {
            throw new IllegalStateException("no object is there, or none any more");
        }
        return counted;
    }

    private <T> T object(MemorySegment reference, Class<T> type) {
        return type.cast(counted(reference).object);
    }

    private MemorySegment fail(MemorySegment error, int code) {
        error.set(ValueLayout.ADDRESS, 0, create(new ErrorObject(code)));
        return MemorySegment.NULL;
    }

    @SuppressWarnings("unchecked")
    private Map<Object, MemorySegment> dictionary(MemorySegment reference) {
        return (Map<Object, MemorySegment>) counted(reference).object;
    }

    private boolean holds(Map<Object, MemorySegment> dictionary, String key, String constant) {
        MemorySegment value = dictionary.get(new Constant(key));
        return value != null && counted(value).object.equals(new Constant(constant));
    }

    void CFRelease(MemorySegment reference) {
        Counted counted = counted(reference);
        counted.references--;
        if (counted.references == 0) {
            objects.remove(reference.address());
            if (counted.object instanceof Map<?, ?> dictionary) {
                dictionary.values().forEach(value -> CFRelease((MemorySegment) value));
            }
        }
    }

    MemorySegment CFDictionaryCreateMutable(MemorySegment allocator, long capacity, MemorySegment keyCallbacks,
            MemorySegment valueCallbacks) {
        boolean asStructs = keyCallbacks.address() == symbols.get("kCFTypeDictionaryKeyCallBacks").address()
                && valueCallbacks.address() == symbols.get("kCFTypeDictionaryValueCallBacks").address();
        return asStructs ? create(new HashMap<>()) : MemorySegment.NULL;
    }

    void CFDictionarySetValue(MemorySegment dictionary, MemorySegment key, MemorySegment value) {
        counted(value).references++;
        dictionary(dictionary).put(counted(key).object, value);
    }

    MemorySegment CFDictionaryGetValue(MemorySegment dictionary, MemorySegment key) {
        return dictionary(dictionary).getOrDefault(counted(key).object, MemorySegment.NULL);
    }

    MemorySegment CFNumberCreate(MemorySegment allocator, long type, MemorySegment value) {
        return type == 3 ? create(new Number(value.get(ValueLayout.JAVA_INT, 0))) : MemorySegment.NULL;
    }

    MemorySegment CFStringCreateWithCString(MemorySegment allocator, MemorySegment text, int encoding) {
        return encoding == 0x08000100 ? create(new Text(text.getString(0))) : MemorySegment.NULL;
    }

    MemorySegment CFDataCreate(MemorySegment allocator, MemorySegment bytes, long length) {
        return create(new Bytes(length == 0 ? new byte[0] : bytes.reinterpret(length).toArray(ValueLayout.JAVA_BYTE)));
    }

    long CFDataGetLength(MemorySegment data) {
        return object(data, Bytes.class).bytes().length;
    }

    MemorySegment CFDataGetBytePtr(MemorySegment data) {
        return arena.allocateFrom(ValueLayout.JAVA_BYTE, object(data, Bytes.class).bytes());
    }

    long CFErrorGetCode(MemorySegment error) {
        return object(error, ErrorObject.class).code();
    }

    MemorySegment SecAccessControlCreateWithFlags(MemorySegment allocator, MemorySegment protection, long flags, MemorySegment error) {
        boolean known = object(protection, Constant.class).name().equals("kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly");
        return known && flags == 1 << 30 ? create(new AccessControl(flags)) : fail(error, PARAMETER);
    }

    MemorySegment SecKeyCreateRandomKey(MemorySegment parameters, MemorySegment error) throws GeneralSecurityException {
        Map<Object, MemorySegment> attributes = dictionary(parameters);
        Map<Object, MemorySegment> secret = dictionary(attributes.get(new Constant("kSecPrivateKeyAttrs")));
        if (!hasEnclave || !holds(secret, "kSecAttrIsPermanent", "kCFBooleanFalse")) {
            return fail(error, MISSING_ENTITLEMENT);
        }
        object(secret.get(new Constant("kSecAttrAccessControl")), AccessControl.class);
        boolean asked = holds(attributes, "kSecAttrTokenID", "kSecAttrTokenIDSecureEnclave")
                && holds(attributes, "kSecAttrKeyType", "kSecAttrKeyTypeECSECPrimeRandom")
                && object(attributes.get(new Constant("kSecAttrKeySizeInBits")), Number.class).value() == 256;
        if (!asked) {
            return fail(error, PARAMETER);
        }
        var generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(new ECGenParameterSpec("secp256r1"));
        String sealedForm = "sealed-" + enclave.size();
        enclave.put(sealedForm, generator.generateKeyPair());
        return create(new Key(sealedForm, enclave.get(sealedForm), false));
    }

    MemorySegment SecKeyCopyAttributes(MemorySegment key) {
        var attributes = new HashMap<Object, MemorySegment>();
        attributes.put(new Text("toid"), create(new Bytes(object(key, Key.class).sealedForm().getBytes(StandardCharsets.UTF_8))));
        return create(attributes);
    }

    MemorySegment SecKeyCreateWithData(MemorySegment data, MemorySegment parameters, MemorySegment error) {
        Map<Object, MemorySegment> attributes = dictionary(parameters);
        boolean asked = object(data, Bytes.class).bytes().length == 0
                && holds(attributes, "kSecAttrTokenID", "kSecAttrTokenIDSecureEnclave")
                && holds(attributes, "kSecAttrKeyType", "kSecAttrKeyTypeECSECPrimeRandom")
                && holds(attributes, "kSecAttrKeyClass", "kSecAttrKeyClassPrivate");
        String sealedForm = new String(object(attributes.get(new Text("toid")), Bytes.class).bytes(), StandardCharsets.UTF_8);
        KeyPair pair = enclave.get(sealedForm);
        return asked && pair != null ? create(new Key(sealedForm, pair, false)) : fail(error, PARAMETER);
    }

    MemorySegment SecKeyCopyPublicKey(MemorySegment key) {
        return create(new Key("", object(key, Key.class).pair(), true));
    }

    MemorySegment SecKeyCopyExternalRepresentation(MemorySegment key, MemorySegment error) {
        if (!object(key, Key.class).isPublic()) {
            return fail(error, -4);
        }
        var point = ((ECPublicKey) object(key, Key.class).pair().getPublic()).getW();
        String hex = "04%064x%064x".formatted(point.getAffineX(), point.getAffineY());
        return create(new Bytes(HexFormat.of().parseHex(hex)));
    }

    MemorySegment SecKeyCreateSignature(MemorySegment key, MemorySegment algorithm, MemorySegment data, MemorySegment error)
            throws GeneralSecurityException {
        if (!object(algorithm, Constant.class).name().equals("kSecKeyAlgorithmECDSASignatureMessageX962SHA256")) {
            return fail(error, PARAMETER);
        }
        var signature = Signature.getInstance("SHA256withECDSA");
        signature.initSign(object(key, Key.class).pair().getPrivate());
        signature.update(object(data, Bytes.class).bytes());
        return create(new Bytes(signature.sign()));
    }
}
